import { decideAbort } from "./decide-abort.ts";
import { endCompensation } from "./compensation-end.ts";
import { decideBeforeAct } from "./decide-before-act.ts";
import { decideStep } from "./decide-step.ts";
import { decideVerification } from "./decide-verification.ts";
import { finish, type Decision } from "./decision.ts";
import { journalOf, originOf } from "./journal.ts";
import { FINALIZER, isAbortAsked, isFinished } from "./phase.ts";
import type { Situation } from "./situation.ts";

/** What to do next: pure and total over everything that is known. `now` is milliseconds since the epoch. */
export function decide(situation: Situation, now: number): Decision {
  const { request } = situation;
  if (isFinished(request)) {
    return (request.metadata.finalizers ?? []).includes(FINALIZER) ? { kind: "CleanUp" } : { kind: "Rest" };
  }
  const journal = journalOf(request);
  if (journal.kind === "Broken" || !isUnderstood(situation)) {
    // Only a status that somebody else wrote looks like this; there is nothing to go by any more.
    return finish("Failed", "StepFailed", "the plan is missing from the status: was it edited by hand?");
  }
  if (isAbortAsked(request)) return decideAbort(situation, journal, now);
  switch (journal.kind) {
    case "NotStarted":
      return decideBeforeAct(situation, now);
    case "InStep":
      return decideStep(situation, journal.step, now);
    case "StepsDone":
      return decideVerification(situation, now);
    case "UndosDone":
      return endCompensation(request);
  }
}

/** Whether what was announced are plans of the very steps of the spec, and of what takes them back. */
function isUnderstood({ request, resolution }: Situation): boolean {
  const { status } = request;
  if (resolution.kind === "Refused" || status?.steps === undefined) return true;
  const { steps } = resolution;
  const plans = status.plan?.steps ?? [];
  if (plans.length < steps.length) return false;
  return plans.every((planned, index) => {
    const isUndo = index >= steps.length;
    const action = steps[originOf(request, index)]?.action;
    const name = isUndo ? status.steps?.[index]?.name : action?.name;
    if (action === undefined || planned.name !== name || planned.action !== action.kind) return false;
    return (!isUndo && planned.nothingToDo !== undefined) || action.understands(planned);
  });
}
