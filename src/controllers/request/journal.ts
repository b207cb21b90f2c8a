import type { PlannedStep, StepStatus } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";

/** A step whose end is not recorded yet. */
export interface OpenStep {
  readonly index: number;
  readonly planned: PlannedStep;
  readonly status: StepStatus;
}

/** How far a request is, as its own status tells: the journal of what was announced before it was done. */
export type Journal =
  /** Nothing was announced, so nothing was changed. */
  | { readonly kind: "NotStarted" }
  | { readonly kind: "InStep"; readonly step: OpenStep }
  | { readonly kind: "StepsDone" }
  /** A step failed, and all that undoes the others has come to its end. */
  | { readonly kind: "UndosDone" }
  /** Journal and plan do not fit: somebody else wrote the status. */
  | { readonly kind: "Broken" };

export function journalOf({ spec, status }: RollbackRequest): Journal {
  const steps = status?.steps ?? [];
  const plan = status?.plan?.steps ?? [];
  const first = steps[0];
  if (first === undefined) return { kind: "NotStarted" };
  if (first.state === "Pending" || steps.length !== plan.length) return { kind: "Broken" };
  const isCompensating = status?.compensating !== undefined;
  const mayFail = isCompensating || spec.onFailure === "Continue";
  const index = steps.findIndex(
    (step) => isUndo(step) === isCompensating && !isDone(step) && !(mayFail && hasFailed(step)),
  );
  if (index === -1) return { kind: isCompensating ? "UndosDone" : "StepsDone" };
  const [step, planned] = [steps[index], plan[index]];
  return step === undefined || planned === undefined || step.name !== planned.name
    ? { kind: "Broken" }
    : { kind: "InStep", step: { index, planned, status: step } };
}

/** A step that is not in the spec: it takes back what another one changed. */
export function isUndo({ undoes }: Pick<StepStatus, "undoes">): boolean {
  return undoes !== undefined;
}

/** The index of the step of the spec that a step is, or takes back; -1 for one that is neither. */
export function originOf({ status }: RollbackRequest, index: number): number {
  const steps = status?.steps ?? [];
  const undoes = steps[index]?.undoes;
  return undoes === undefined ? index : steps.findIndex(({ name }) => name === undoes);
}

export function isDone({ state }: Pick<StepStatus, "state">): boolean {
  return state === "Succeeded" || state === "Skipped";
}

export function hasFailed({ state }: Pick<StepStatus, "state">): boolean {
  return state === "Failed" || state === "Superseded";
}

/** The step that is to be carried out now. Throws TypeError when there is none. */
export function openStep(request: RollbackRequest): OpenStep {
  const journal = journalOf(request);
  if (journal.kind !== "InStep") {
    throw new TypeError(`RollbackRequest ${request.metadata.name} has no step that is open`);
  }
  return journal.step;
}

/** Steps of the spec that wrote to an object and came to their end, in order. */
export function changedSteps({ status }: RollbackRequest): readonly OpenStep[] {
  return (status?.steps ?? []).flatMap((step, index) => {
    const planned = status?.plan?.steps[index];
    return step.state === "Succeeded" && !isUndo(step) && planned?.objectUid !== undefined
      ? [{ index, planned, status: step }]
      : [];
  });
}

/** Steps of the spec that failed, where that does not end a request at once. */
export function failedSteps({ status }: RollbackRequest): readonly StepStatus[] {
  return (status?.steps ?? []).filter((step) => !isUndo(step) && hasFailed(step));
}

/** Steps that take others back, in the order in which they are carried out. */
export function undoSteps({ status }: RollbackRequest): readonly StepStatus[] {
  return (status?.steps ?? []).filter(isUndo);
}
