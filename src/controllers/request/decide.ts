import { decideAbort } from "./decide-abort.ts";
import { decideBeforeAct } from "./decide-before-act.ts";
import { decideStep } from "./decide-step.ts";
import { decideVerification } from "./decide-verification.ts";
import { finish, type Decision } from "./decision.ts";
import { journalOf } from "./journal.ts";
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
  }
}

/** Whether what was announced are plans of the very steps of the spec. */
function isUnderstood({ request, resolution }: Situation): boolean {
  const { status } = request;
  if (resolution.kind === "Refused" || status?.steps === undefined) return true;
  return resolution.steps.every(({ action }, index) => {
    const planned = status.plan?.steps[index];
    if (planned === undefined || planned.name !== action.name || planned.action !== action.kind) return false;
    return planned.nothingToDo !== undefined || action.understands(planned);
  });
}
