import type { LedgerKnownGood } from "../../crds/rollback-ledger.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { secondsBetween } from "../output/age.ts";
import type { Output } from "../output/output.ts";
import { answerText, hasEnded, holdTexts, laterTexts, planTexts, readyOf } from "./wording.ts";

/** One line of the progress of a request. A label comes once; its text may change while it runs. */
export interface ProgressLine {
  readonly label: string;
  readonly text: string;
  /** How it is meant: how the label is coloured and where the line goes. */
  readonly tone: "plain" | "warning" | "good" | "bad" | "doubtful";
  /** Changes often: written in place where that is possible. */
  readonly moving?: boolean;
}

export const LABEL_WIDTH = 12;

/** All that a request has gone through so far, in order. Pure: a follower prints what is new. */
export function progressOf(
  request: RollbackRequest,
  knownGood: readonly LedgerKnownGood[] | undefined,
  now: number,
): readonly ProgressLine[] {
  return [
    ...planLines(request, knownGood, now),
    ...waitingLines(request, now),
    ...actLines(request),
    ...endLines(request),
  ];
}

/** The plan and its warnings. */
export function planLines(
  { status }: RollbackRequest,
  knownGood: readonly LedgerKnownGood[] | undefined,
  now: number,
): readonly ProgressLine[] {
  // What undoes was not planned with the rest; each of its steps tells of itself.
  const steps = (status?.plan?.steps ?? []).filter(
    (_, index) => status?.steps?.[index]?.undoes === undefined,
  );
  if (steps.length === 0) return [];
  const label = `plan ${(status?.plan?.digest ?? "").slice(0, 4)}`;
  return [
    ...planTexts(steps, knownGood, now).map((text, index): ProgressLine => ({
      label: index === 0 ? label : "",
      text,
      tone: "plain",
    })),
    ...steps
      .flatMap(laterTexts)
      .map((text): ProgressLine => ({ label: "", text: `later: ${text}`, tone: "plain" })),
    ...holdTexts(status?.plan).map((text): ProgressLine => ({
      label: "",
      text: `stops ${text}`,
      tone: "plain",
    })),
    ...steps.flatMap(({ warnings }) =>
      warnings.map((text): ProgressLine => ({ label: "", text: `warning: ${text}`, tone: "warning" })),
    ),
  ];
}

/** Before the act: why it does not begin. */
function waitingLines(request: RollbackRequest, now: number): readonly ProgressLine[] {
  const { message } = readyOf(request);
  switch (request.status?.phase) {
    case "Pending":
      return [{ label: "waiting", text: message, tone: "doubtful", moving: true }];
    case "AwaitingApproval":
      return [{ label: "waiting", text: answerText(request, now), tone: "doubtful", moving: true }];
    case "Planning":
      return message === "" ? [] : [{ label: "planning", text: message, tone: "plain", moving: true }];
    default:
      return [];
  }
}

/** Where there are several steps, each when it has ended well; what undoes them is counted apart. */
function stepLines({ status }: RollbackRequest): readonly ProgressLine[] {
  const steps = status?.steps ?? [];
  if (steps.length < 2) return [];
  return steps.flatMap((step): ProgressLine[] => {
    const { name, state, undoes, message = "" } = step;
    if (state !== "Succeeded" && state !== "Skipped") return [];
    const alike = steps.filter((each) => (each.undoes === undefined) === (undoes === undefined));
    const what = undoes === undefined ? "step" : "undo";
    const words = state === "Skipped" ? `nothing to do: ${message}` : message;
    const label = `${what} ${alike.indexOf(step) + 1}/${alike.length}`;
    return [{ label, text: `${undoes ?? name}: ${words}`, tone: "plain" }];
  });
}

function actLines(request: RollbackRequest): readonly ProgressLine[] {
  const { phase, timeline, checks = [] } = request.status ?? {};
  const since = (at: string | undefined) => secondsBetween(timeline?.accepted, at);
  const applied = since(timeline?.applied);
  const complete = since(timeline?.completed);
  const lines: ProgressLine[] = [];
  const ready = readyOf(request);
  if (phase === "Applying" && ready.reason === "Holding")
    lines.push({ label: "holding", text: ready.message, tone: "plain", moving: true });
  if (applied !== undefined) lines.push({ label: "applied", text: applied, tone: "plain" });
  lines.push(...stepLines(request));
  if (phase === "Applying" && applied !== undefined && complete === undefined) {
    const { reason, message } = readyOf(request);
    // Before the rollout has numbers the message only repeats the plan.
    const isNews = reason !== "Applying" || message.includes(" updated");
    if (isNews) lines.push({ label: "rolling", text: message, tone: "plain", moving: true });
  }
  if (complete !== undefined) lines.push({ label: "complete", text: complete, tone: "plain" });
  if (phase === "Verifying" && checks.length > 0) {
    const text = checks.map(({ name, outcome, value }) => checkText(name, outcome, value)).join(", ");
    lines.push({ label: "verifying", text, tone: "plain", moving: true });
  }
  return lines;
}

function checkText(name: string, outcome: string, value: string | undefined): string {
  const seen = value === undefined || value === "no sample yet" ? "" : ` ${value}`;
  return outcome === "Pending" ? `${name}${seen}` : `${name}${seen} ${outcome}`;
}

function endLines(request: RollbackRequest): readonly ProgressLine[] {
  if (!hasEnded(request)) return [];
  const { phase, timeline, conditions } = request.status ?? {};
  const { reason, message } = readyOf(request);
  if (phase !== "Succeeded") {
    // A refusal explains itself; it is not cut up or repeated under a label.
    const label = message.startsWith("refused") ? "" : (phase ?? "").toLowerCase();
    return [{ label, text: message, tone: "bad" }];
  }
  // The plan above it has said everything.
  if (reason === "DryRun") return [];
  const isVerified = conditions?.find(({ type }) => type === "Verified")?.status === "True";
  const total = secondsBetween(timeline?.accepted, timeline?.verified);
  if (isVerified && total !== undefined) {
    const text = `rolled back and verified in ${total}   (history: kubectl-rollback history)`;
    return [{ label: "done", text, tone: "good" }, ...persistedLines(request)];
  }
  const tone = reason === "RolledBack" ? "doubtful" : "good";
  return [{ label: "done", text: message, tone }, ...persistedLines(request)];
}

/** Whether it lasts without us. */
function persistedLines({ status }: RollbackRequest): readonly ProgressLine[] {
  const persisted = status?.conditions?.find(({ type }) => type === "Persisted");
  if (persisted === undefined) return [];
  return [{ label: "git", text: persisted.message, tone: persisted.status === "True" ? "good" : "doubtful" }];
}

/** Prints the lines of a request as it goes on, each once, a moving one again when its text changes. */
export function createProgressPrinter(output: Output): (lines: readonly ProgressLine[]) => void {
  const printed = new Set<string>();
  let last = "";
  return (lines) => {
    for (const line of lines) {
      const key = line.moving === true ? `${line.label} ${line.text}` : `${line.label}/${line.text}`;
      if (printed.has(key)) continue;
      printed.add(key);
      print(output, line, last === line.label);
      last = line.moving === true ? line.label : "";
    }
  };
}

function print(output: Output, { label, text, tone, moving }: ProgressLine, isAnew: boolean): void {
  const { good, bad, doubtful } = output.colours;
  const paint = { plain: undefined, warning: doubtful, good, bad, doubtful }[tone];
  const padded = label === "" && tone === "bad" ? "" : label.padEnd(LABEL_WIDTH);
  // Moving lines are cut to the terminal's width, which colour codes would make wrong.
  if (moving === true) return output.replace(`${padded}${text}`, isAnew);
  const line =
    paint === undefined ? `${padded}${text}` : `${paint(padded)}${label === "" ? paint(text) : text}`;
  if (tone === "bad") output.note(line);
  else output.line(line);
}
