import { destinationText } from "../../crds/canary-step.ts";
import type { LedgerKnownGood } from "../../crds/rollback-ledger.ts";
import type { WorkloadKind } from "../../crds/common.ts";
import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import { holdText } from "../../gitops/hold-field.ts";
import { ownerText } from "../../gitops/owner.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { answerTimes, waitingSince } from "../../decision/answer-times.ts";
import { valueText } from "../../workloads/value-text.ts";
import { isWorkloadKind } from "../../workloads/workload.ts";
import { clockTime } from "../output/age.ts";

/**
 * What a person calls the version of an image: its tag, else the beginning of its digest, else the image; with the
 * container before it where the image has one (`app=web:v1`).
 */
export function versionOf(labelled: string): string {
  const equals = labelled.indexOf("=");
  return labelled.slice(0, equals + 1) + versionOfReference(labelled.slice(equals + 1));
}

function versionOfReference(image: string): string {
  const [named = "", digest] = image.split("@");
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  if (colon !== -1) return named.slice(colon + 1);
  return digest === undefined ? image : digest.slice(0, "sha256:".length + 12);
}

/** The versions of two revisions, of the images in which they differ: sidecars that stayed tell nothing. */
export function versionsOf(from: StepEnd, to: StepEnd): readonly [string, string] {
  const { images: left = [] } = from;
  const { images: right = [] } = to;
  const differing = left.flatMap((image, index) =>
    left.length === right.length && image !== right[index] ? [index] : [],
  );
  const pick = (images: readonly string[]) =>
    differing.length === 0 ? images : differing.map((index) => images[index] ?? "");
  const [before, after] = [pick(left), pick(right)];
  const text = (images: readonly string[]) => images.map(versionOf).join(", ");
  // Equal tags of different repositories: only the whole names tell them apart.
  return text(before) === text(after) && differing.length > 0
    ? [before.join(", "), after.join(", ")]
    : [text(before), text(after)];
}

/** How both ends of a step read in a line of the history. */
export function endsOf(from: StepEnd, to: StepEnd): readonly [string, string] {
  if (to.color !== undefined) return [`color ${from.color ?? "unknown"}`, `color ${to.color}`];
  if (from.traffic !== undefined && to.traffic !== undefined) {
    return [destinationText(from.traffic.destination), destinationText(to.traffic.destination)];
  }
  if (to.contentDigest !== undefined) return [contentText(from), contentText(to)];
  if (to.replicas !== undefined) return [replicasText(from), replicasText(to)];
  return to.restartedAt === undefined ? versionsOf(from, to) : [versionsOf(from, from)[0], "restarted"];
}

/** The beginning of a digest, and whose it is. */
function contentText({ key, contentDigest = "" }: StepEnd): string {
  return `${key === undefined ? "content" : `key ${key}`} ${contentDigest.slice(0, 8)}`;
}

function replicasText({ replicas = 0 }: StepEnd): string {
  return replicas === 1 ? "1 replica" : `${replicas} replicas`;
}

/** `Deployment/web   revision 8 (v1.2.3) -> revision 7 (v1.2.2), known good since 10:02`. */
export function planText(
  step: PlannedStep,
  knownGood: readonly LedgerKnownGood[] | undefined,
  now: number,
): string {
  const { object, from, to, nothingToDo } = step;
  if (nothingToDo !== undefined) return `${object}   nothing to do: ${nothingToDo}`;
  if (from === undefined || to === undefined) return object;
  const [before, after] = endsOf(from, to);
  if (to.traffic !== undefined) return `${object}   traffic ${before} -> ${after}`;
  if (to.replicas !== undefined || to.color !== undefined || to.contentDigest !== undefined) {
    return `${object}   ${before} -> ${after}`;
  }
  if (to.restartedAt !== undefined) return `${object}   revision ${from.revision} (${before}) -> ${after}`;
  const good = knownGood?.findLast(
    ({ replicaSetUid, podTemplateHash }) =>
      replicaSetUid === to.uid && podTemplateHash === to.podTemplateHash,
  );
  const since = good === undefined ? "" : `, known good since ${clockTime(good.since, now)}`;
  const goal = to.revision === undefined ? "a new revision" : `revision ${to.revision}`;
  return `${object}   revision ${from.revision} (${before}) -> ${goal} (${after})${since}`;
}

/** `Application argocd/api (spec.syncPolicy.automated.enabled: false) until Git agrees`, with what makes that one. */
export function holdTexts(plan: NonNullable<RollbackRequest["status"]>["plan"]): readonly string[] {
  return (plan?.holds ?? []).map((hold) => {
    const made = hold.chain === undefined ? "" : `, made by ${hold.chain.join(", made by ")}`;
    return `${ownerText(hold)} (${holdText(hold.kind)})${made}, until Git agrees`;
  });
}

/** `Deployment/web-green 3 replicas -> 0 replicas, 1h after the step`; what the operator does once a request is over. */
export function laterTexts({ temporary = [] }: PlannedStep): readonly string[] {
  return temporary
    .filter(({ onlyWhile, found, during }) => onlyWhile === undefined || found === during)
    .map((change) => {
      const { object, during, restore, holdFor } = change;
      return `${object} ${valueText(change, during)} -> ${valueText(change, restore)}, ${holdFor} after the step`;
    });
}

/** The plan of each step, with its name where there are several. */
export function planTexts(
  steps: readonly PlannedStep[],
  knownGood: readonly LedgerKnownGood[] | undefined,
  now: number,
): readonly string[] {
  const width = Math.max(...steps.map(({ name }) => name.length));
  return steps.map((step, index) => {
    const text = planText(step, knownGood, now);
    return steps.length === 1 ? text : `${index + 1}. ${step.name.padEnd(width)}   ${text}`;
  });
}

/** `for approval until 14:33`, or when it runs by itself; and whether an approval was for another plan. */
export function answerText(request: RollbackRequest, now: number): string {
  const approved = request.status?.conditions?.find(({ type }) => type === "Approved");
  const waiting = waitingSince(request.status?.timeline);
  if (waiting === undefined) return "for approval";
  const { expiresAt, runsAt } = answerTimes(request.spec, waiting);
  // Past its time it does not run by itself any more, unless the breach comes back.
  const until =
    runsAt < expiresAt && runsAt > now
      ? `runs at ${clockTime(new Date(runsAt).toISOString(), now, true)} unless it is denied`
      : `for approval until ${clockTime(new Date(expiresAt).toISOString(), now, true)}`;
  return approved?.status === "False" ? `${until}; not approved: ${approved.message}` : until;
}

export function readyOf({ status }: Pick<RollbackRequest, "status">): {
  readonly reason: string;
  readonly message: string;
} {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return { reason: ready?.reason ?? "", message: ready?.message ?? "" };
}

/** Phases after which nothing more happens. */
const FINAL: ReadonlySet<string> = new Set([
  "Succeeded",
  "Failed",
  "Compensated",
  "Superseded",
  "Denied",
  "Expired",
  "Aborted",
]);

export function hasEnded({ status }: Pick<RollbackRequest, "status">): boolean {
  return FINAL.has(status?.phase ?? "");
}

/** Whether an operator has ever looked at it. */
export function wasSeen({ status }: Pick<RollbackRequest, "status">): boolean {
  return status?.phase !== undefined;
}

/** A workload of the session's namespace. */
export interface WorkloadName {
  readonly kind: WorkloadKind;
  readonly name: string;
}

/** The workload that a request is about, as far as it says. */
export function workloadOf({ spec, status }: RollbackRequest): WorkloadName | undefined {
  const { kind, name } = spec.steps?.find(({ workload }) => workload !== undefined)?.workload ?? {};
  if (kind !== undefined && name !== undefined) return { kind, name };
  // Its step may leave the name to the policy, and need not be the first one.
  const planned = status?.plan?.steps.find(({ action }) => action === "workload")?.object;
  const target = planned ?? status?.target?.replace(/ \+\d+$/, "");
  const [targetKind = "", targetName] = target?.split("/") ?? [];
  // A request may be about a ConfigMap alone.
  return isWorkloadKind(targetKind) && targetName !== undefined
    ? { kind: targetKind, name: targetName }
    : undefined;
}

const SHORT_NAMES: Readonly<Record<WorkloadKind, string>> = {
  Deployment: "deploy",
  StatefulSet: "sts",
  DaemonSet: "ds",
  Rollout: "rollout",
};

/** `sts/db`, as it is typed. */
export function shortTitle({ kind, name }: WorkloadName): string {
  return `${SHORT_NAMES[kind]}/${name}`;
}

/** As kubectl names an object with `-o name`. */
export function requestPath(name: string): string {
  return `rollbackrequest.rollback.llm-research-lab.io/${name}`;
}
