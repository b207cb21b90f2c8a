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
  /** Journal and plan do not fit: somebody else wrote the status. */
  | { readonly kind: "Broken" };

export function journalOf({ status }: RollbackRequest): Journal {
  const steps = status?.steps ?? [];
  const plan = status?.plan?.steps ?? [];
  const first = steps[0];
  if (first === undefined) return { kind: "NotStarted" };
  if (first.state === "Pending" || steps.length !== plan.length) return { kind: "Broken" };
  const index = steps.findIndex(({ state }) => !isDone(state));
  if (index === -1) return { kind: "StepsDone" };
  const [step, planned] = [steps[index], plan[index]];
  return step === undefined || planned === undefined || step.name !== planned.name
    ? { kind: "Broken" }
    : { kind: "InStep", step: { index, planned, status: step } };
}

function isDone(state: StepStatus["state"]): boolean {
  return state === "Succeeded" || state === "Skipped";
}

/** The step that is to be carried out now. Throws TypeError when there is none. */
export function openStep(request: RollbackRequest): OpenStep {
  const journal = journalOf(request);
  if (journal.kind !== "InStep") {
    throw new TypeError(`RollbackRequest ${request.metadata.name} has no step that is open`);
  }
  return journal.step;
}

/** Steps that wrote to an object and came to their end, in order. */
export function changedSteps({ status }: RollbackRequest): readonly Omit<OpenStep, "index">[] {
  return (status?.steps ?? []).flatMap((step, index) => {
    const planned = status?.plan?.steps[index];
    return step.state === "Succeeded" && planned?.objectUid !== undefined ? [{ planned, status: step }] : [];
  });
}
