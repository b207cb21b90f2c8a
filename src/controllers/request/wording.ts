import type { PlannedHold } from "../../crds/gitops-hold.ts";
import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import { ownerText } from "../../gitops/owner.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { destinationText } from "../../crds/canary-step.ts";
import { valueText } from "../../workloads/value-text.ts";
import { changedSteps, failedSteps, hasFailed, isDone, isUndo, journalOf, undoSteps } from "./journal.ts";

/** A digest is looked up by its beginning; the name of its snapshot has the whole of it. */
const SHOWN_DIGITS = 8;

/** `revision 8 (web:v2)`, `3 replicas`, `restarted`, `content 5f1e88c2`; how a state of an object reads. */
export function endText(end: StepEnd): string {
  const { revision, image, images = [], replicas, restartedAt, color, workload, traffic } = end;
  const { contentDigest, key } = end;
  if (contentDigest !== undefined) {
    return `${key === undefined ? "content" : `key ${key}`} ${contentDigest.slice(0, SHOWN_DIGITS)}`;
  }
  if (color !== undefined) return `color ${color} (${workload})`;
  if (traffic !== undefined) return `traffic to ${destinationText(traffic.destination)}`;
  if (replicas !== undefined) return replicas === 1 ? "1 replica" : `${replicas} replicas`;
  if (revision !== undefined) return `revision ${revision} (${images.join(", ")})`;
  if (image !== undefined) return `image ${image.image} in container ${image.container}`;
  return restartedAt === undefined ? "unknown" : "restarted";
}

/** `Deployment/web revision 8 (web:v2) -> revision 7 (web:v1)`. */
export function stepSentence({ object, from, to, nothingToDo }: PlannedStep): string {
  if (nothingToDo !== undefined) return `${object} (nothing to do: ${nothingToDo})`;
  const ends = [from, to].filter((end) => end !== undefined).map(endText);
  return ends.length === 0 ? object : `${object} ${ends.join(" -> ")}`;
}

/** The steps of a plan in one line; where there are several, with their names. */
export function planSentence({
  steps,
  holds = [],
}: {
  readonly steps: readonly PlannedStep[];
  readonly holds?: readonly PlannedHold[] | undefined;
}): string {
  const stops = holds.length === 0 ? "" : `; stops ${holds.map(ownerText).join(", ")} until Git agrees`;
  if (steps.length === 1) return `${steps.map(stepSentence).join("")}${stops}`;
  return `${steps.map((step, index) => `${index + 1}. ${step.name}: ${stepSentence(step)}`).join("; ")}${stops}`;
}

/** What a request has brought about: `rolled back to revision 7 (web:v1)`. */
export function backSentence(request: RollbackRequest): string {
  const changed = changedSteps(request);
  const [only] = changed;
  if (changed.length > 1) {
    return changed
      .map(({ planned, status }) => `${planned.object} ${endText(status.after ?? planned.to ?? {})}`)
      .join(", ");
  }
  const end = only?.status.after;
  if (only === undefined || end === undefined) return "rolled back";
  if (end.contentDigest !== undefined) return `${only.planned.object} put back to ${endText(end)}`;
  if (end.color !== undefined) return `${only.planned.object} has ${endText(end)}`;
  if (end.traffic !== undefined) return `moved ${endText(end)}`;
  if (end.replicas !== undefined) return `scaled to ${endText(end)}`;
  if (end.restartedAt !== undefined) return `restarted, now ${endText(end)}`;
  const asked = only.planned.to?.revision;
  // Kubernetes gives a version that is deployed again a new number; people look for the one they asked for.
  const { revision, images = [] } = end;
  return asked === undefined || revision === undefined || asked === revision
    ? `rolled back to ${endText(end)}`
    : `rolled back to revision ${asked}, now revision ${revision} (${images.join(", ")})`;
}

/**
 * What earlier steps changed and nobody takes back, and what the open one raised for a time before its own change, for the
 * message of a request that ends before its last step; while it undoes, what is not undone, but for the step whose undo is
 * `stored`.
 */
export function stayingChanges(request: RollbackRequest, stored?: string): string {
  if (request.status?.compensating !== undefined) {
    const left = undoSteps(request).filter((step) => !isDone(step) && step.name !== stored);
    return left.length === 0 ? "" : `; not undone: ${stepNames(left.map(({ undoes = "" }) => undoes))}`;
  }
  const names = storedChanges(request);
  const stays =
    names.length === 0
      ? ""
      : `; the ${names.length === 1 ? "change" : "changes"} of ${stepNames(names)} ${names.length === 1 ? "stays" : "stay"}`;
  return `${stays}${raisedText(request)}`;
}

/** What the open step raised for a time before its own change. */
function raisedText(request: RollbackRequest): string {
  const journal = journalOf(request);
  if (journal.kind !== "InStep" || journal.step.status.state === "Pending") return "";
  const raised = (journal.step.planned.temporary ?? []).filter(({ found, during }) => found !== during);
  if (raised.length === 0) return "";
  const texts = raised.map((change) => `${change.object} (${valueText(change, change.during)})`);
  return `; what was raised for it is put back by itself: ${texts.join(", ")}`;
}

/** Steps of the spec whose change was stored, whether or not it came to a good end. */
function storedChanges({ status }: RollbackRequest): readonly string[] {
  return (status?.steps ?? []).flatMap((step, index) => {
    const isChange = status?.plan?.steps[index]?.objectUid !== undefined && !isUndo(step);
    const isStored = step.state === "Succeeded" || (hasFailed(step) && step.appliedAt !== undefined);
    return isChange && isStored ? [step.name] : [];
  });
}

/** What failed of a request that went on all the same; empty where nothing did. */
export function failedSentence(request: RollbackRequest): string {
  return failedSteps(request)
    .map(
      ({ name, state, message = "" }) =>
        `step ${name} ${state === "Superseded" ? "gave way" : "failed"}: ${message}`,
    )
    .join("; ");
}

/** Why steps are being undone, after what else there is to say. */
export function compensatingBecause({ status }: RollbackRequest): string {
  const { compensating } = status ?? {};
  return compensating === undefined ? "" : `; it was undoing its steps since ${compensating.message}`;
}

/** `step app`, `steps app, site`. */
export function stepNames(names: readonly string[]): string {
  return `${names.length === 1 ? "step" : "steps"} ${names.join(", ")}`;
}

/** `step app (2 of 3): ` where a request has several steps; `undoing step app (1 of 2): ` of one that undoes. */
export function stepPrefix(request: RollbackRequest, index: number): string {
  const steps = request.status?.steps ?? [];
  const step = steps[index];
  if (step === undefined) return "";
  const alike = steps.filter((each) => isUndo(each) === isUndo(step));
  const place = `(${alike.indexOf(step) + 1} of ${alike.length})`;
  if (step.undoes !== undefined) return `undoing step ${step.undoes} ${place}: `;
  return alike.length < 2 ? "" : `step ${step.name} ${place}: `;
}
