import { finish, type Decision, type Failure } from "./decision.ts";
import { failedSteps, isUndo, type OpenStep } from "./journal.ts";
import type { Overdue } from "./limits.ts";
import type { Situation } from "./situation.ts";
import { undosOf } from "./undo-plan.ts";
import { compensatingBecause, stayingChanges, stepPrefix } from "./wording.ts";

/** What the failure of a step means for the others: the spec says so, and what undoes goes on with the next. */
export function failStep(situation: Situation, step: OpenStep, { reason, message }: Failure): Decision {
  const failure = { reason, message };
  const { request, resolution, progress } = situation;
  const state = failure.reason === "Superseded" ? "Superseded" : "Failed";
  if (isUndo(step.status)) return { kind: "FailStep", state, failure };
  switch (request.spec.onFailure) {
    case "Stop":
      return stopAt(situation, step, failure);
    case "Continue":
      // Without another one there is nothing to go on with.
      return request.status?.steps?.length === 1
        ? stopAt(situation, step, failure)
        : { kind: "FailStep", state, failure };
    case "Compensate": {
      if (resolution.kind === "Refused") return stopAt(situation, step, failure);
      const undos = undosOf(request, resolution.steps, step, progress);
      return undos.length === 0
        ? stopAt(situation, step, failure)
        : { kind: "Compensate", state, failure, undos };
    }
  }
}

/** Ends the request here, whatever its spec says of failures: nothing more may be written. */
export function stopAt({ request }: Situation, step: OpenStep, { reason, message }: Failure): Decision {
  const where = stepPrefix(request, step.index);
  const left = stayingChanges(request);
  return finish("Failed", reason, `${where}${message}${left}${compensatingBecause(request)}`);
}

/** Out of time: nothing goes on after the deadline of the whole but what undoes, which has a time of its own. */
export function failOverdue(situation: Situation, step: OpenStep, overdue: Overdue): Decision {
  const isLast = isUndo(step.status) || situation.request.spec.onFailure === "Continue";
  return overdue.ofRequest && isLast ? stopAt(situation, step, overdue) : failStep(situation, step, overdue);
}

/** A step on what an earlier one could not put right: it was planned from where that one ends. */
export function blockedBy(
  { request, resolution }: Situation,
  { index, status }: OpenStep,
): Failure | undefined {
  if (resolution.kind === "Refused" || isUndo(status)) return undefined;
  const keysOf = (at: number) => resolution.steps[at]?.targets.map((key) => JSON.stringify(key)) ?? [];
  const own = new Set(keysOf(index));
  const failed = failedSteps(request).find(({ name }) => {
    const at = request.status?.steps?.findIndex((step) => step.name === name) ?? -1;
    return at < index && keysOf(at).some((key) => own.has(key));
  });
  return failed === undefined
    ? undefined
    : {
        reason: "StepFailed",
        message: `not carried out, since step ${failed.name} on the same object failed`,
      };
}
