import type { LedgerKnownGood } from "../../crds/rollback-ledger.ts";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { parseWorkloadTitle } from "../../workloads/workload.ts";
import { clockTime, secondsBetween } from "../output/age.ts";
import type { Colours } from "../output/colours.ts";
import { labelled } from "../output/table.ts";
import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { answerText, hasEnded, holdTexts, laterTexts, planTexts, readyOf, shortTitle } from "./wording.ts";

const INDENT = "  ";
const WIDTH = 11;

export interface StatusTextOptions {
  readonly knownGood: readonly LedgerKnownGood[] | undefined;
  readonly now: number;
  readonly colours: Colours;
  /** For the printed command. */
  readonly namespaceFlag: string;
}

/** A request on one screen: what, why, when, whether it helped, and how to take it back. Pure. */
export function statusText(request: RollbackRequest, options: StatusTextOptions): readonly string[] {
  const steps = request.status?.plan?.steps ?? [];
  const rows: (readonly [string, string])[] = [
    ["why", whyOf(request, options.now)],
    ...whatOf(request, steps, options),
    ...steps.flatMap(laterTexts).map((text) => ["later", text] as const),
    ...steps.flatMap(({ warnings }) => warnings.map((text) => ["warning", text] as const)),
    ["when", whenOf(request, options.now)],
    ["checks", checksOf(request)],
    ...holdsOf(request),
    ...(isWaiting(request) ? answerOf(request, options) : [["message", readyOf(request).message] as const]),
    ["undo", undoOf(request, options.namespaceFlag)],
  ];
  const shown = rows.filter(([, text]) => text !== "");
  return [headOf(request, options.colours), ...labelled(shown, WIDTH).map((line) => INDENT + line)];
}

function whatOf(
  { status }: RollbackRequest,
  steps: readonly PlannedStep[],
  { knownGood, now }: StatusTextOptions,
): readonly (readonly [string, string])[] {
  if (steps.length === 0) return [["what", status?.target ?? ""]];
  return planTexts(steps, knownGood, now).map((text, index) => {
    const state = steps.length === 1 ? "" : `   ${status?.steps?.[index]?.state ?? "Pending"}`;
    return [index === 0 ? "what" : "", `${text}${state}`] as const;
  });
}

/** What is stopped so that it lasts, or what is to be; and how that stands. */
function holdsOf({ status }: RollbackRequest): readonly (readonly [string, string])[] {
  const persisted = status?.conditions?.find(({ type }) => type === "Persisted");
  const planned = status?.holds === undefined ? holdTexts(status?.plan) : [];
  return [
    ...planned.map((text) => ["stops", text] as const),
    ...(persisted === undefined ? [] : [["git", persisted.message] as const]),
  ];
}

function isWaiting({ status }: RollbackRequest): boolean {
  return status?.phase === "AwaitingApproval";
}

/** What it waits for, and how to answer; its message says the same with the whole plan in between. */
function answerOf(
  request: RollbackRequest,
  { now, namespaceFlag }: StatusTextOptions,
): readonly (readonly [string, string])[] {
  const { name } = request.metadata;
  return [
    ["plan", request.status?.plan?.digest ?? ""],
    ["waiting", answerText(request, now)],
    ["approve", `kubectl-rollback approve ${name}${namespaceFlag}`],
    ["deny", `kubectl-rollback deny ${name} --reason TEXT${namespaceFlag}`],
  ];
}

function headOf(request: RollbackRequest, { good, bad, doubtful }: Colours): string {
  const phase = request.status?.phase;
  const words = `${phase ?? "not seen by an operator yet"}${verdictOf(request)}`;
  const paint = { [EXIT.Failed]: bad, [EXIT.NotVerified]: doubtful, [EXIT.Ok]: good }[
    exitCodeOf(request) as 0 | 1 | 3
  ];
  const state = hasEnded(request) ? paint(words) : words;
  return [request.metadata.name, state, originOf(request)].filter((part) => part !== "").join("   ");
}

function verdictOf(request: RollbackRequest): string {
  const { status } = request;
  const verified = status?.conditions?.find(({ type }) => type === "Verified");
  if (verified?.status === "True") return ", verified";
  if (verified?.reason === "Inconclusive") return ", not verified (data was missing)";
  const { reason } = readyOf(request);
  return reason === "" || reason === "RolledBack" || reason === status?.phase ? "" : `, ${reason}`;
}

function originOf({ spec, status }: RollbackRequest): string {
  const { policy, row } = status?.trigger ?? {};
  const severity = spec.severity === undefined ? "" : ` (${spec.severity})`;
  if (policy !== undefined) return `by policy ${policy}${row === undefined ? "" : `, row ${row}`}${severity}`;
  return spec.requestedBy === undefined ? severity.trim() : `by ${spec.requestedBy}${severity}`;
}

function whyOf({ spec, status }: RollbackRequest, now: number): string {
  const { trigger } = status ?? {};
  const since =
    trigger?.breachSince === undefined ? "" : `, since ${clockTime(trigger.breachSince, now, true)}`;
  if (trigger?.sentence !== undefined) return trigger.sentence;
  return spec.reason === "" ? "" : `${spec.reason}${since}`;
}

function whenOf({ status }: RollbackRequest, now: number): string {
  const { released, breached, decided, accepted, approved, applied, completed, verified } =
    status?.timeline ?? {};
  const start = decided ?? accepted;
  const at = (time: string | undefined, what: string) =>
    time === undefined ? [] : [`${clockTime(time, now, true)} ${what}`];
  const after = (time: string | undefined, what: string) => {
    const length = secondsBetween(start, time);
    return length === undefined ? [] : [`+${length} ${what}`];
  };
  return [
    ...at(released, "release"),
    ...at(breached, "breach"),
    ...at(start, decided === undefined ? "accepted" : "decided"),
    ...after(approved, "approved"),
    ...after(applied, "patched"),
    ...after(completed, "complete"),
    ...after(verified, "verified"),
  ].join("   ");
}

function checksOf({ status }: RollbackRequest): string {
  return (status?.checks ?? [])
    .map(({ name, value, outcome, samples }) => {
      const seen = value === undefined ? "" : ` ${value}`;
      return `${name}${seen} ${outcome}${samples > 1 ? ` (${samples} samples)` : ""}`;
    })
    .join("   ");
}

/** How to go forward again; only where the one change of the request was made. */
function undoOf(request: RollbackRequest, namespaceFlag: string): string {
  const { steps, plan, phase } = request.status ?? {};
  const [step] = steps ?? [];
  const planned = plan?.steps[0];
  const object = planned?.object;
  if (
    steps?.length !== 1 ||
    phase !== "Succeeded" ||
    step?.after === undefined ||
    step.before === undefined ||
    object === undefined ||
    planned?.action !== "workload"
  ) {
    return "";
  }
  return `kubectl-rollback undo ${shortTitle(parseWorkloadTitle(object, ""))} --to-revision ${step.before.revision}${namespaceFlag}`;
}
