import type { StepStatus } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { finish, type Decision } from "./decision.ts";
import { isDone, undoSteps } from "./journal.ts";
import { stepNames } from "./wording.ts";

/** The end of a request whose step failed and whose other steps were undone as far as they could be. Pure. */
export function endCompensation(request: RollbackRequest): Decision {
  const { reason = "StepFailed", message = "a step failed" } = request.status?.compensating ?? {};
  const undos = undoSteps(request);
  const left = undos.filter((step) => !isDone(step));
  const undone = stepNames(undos.filter(isDone).map(({ undoes = "" }) => undoes));
  if (left.length === 0) {
    return finish(
      "Compensated",
      "Compensated",
      `${message}; undone: ${undone}; what was to be rolled back is live again: mend what failed and make a new request, ` +
        "which names the revision of a workload that was undone",
    );
  }
  const done = left.length === undos.length ? "" : `; undone: ${undone}`;
  const why = left.map(reasonOf).join("; ");
  return finish("Failed", reason, `${message}${done}; not undone: ${why}: look at these objects by hand`);
}

/** `step site (Deployment/web was changed by somebody else before the act)`. */
function reasonOf({ undoes = "", state, message = "" }: StepStatus): string {
  const how = state === "Superseded" ? `left alone, ${message}` : message;
  return `step ${undoes} (${how})`;
}
