import type { Phase } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";

const FINAL: ReadonlySet<Phase> = new Set([
  "Succeeded",
  "Failed",
  "Superseded",
  "Denied",
  "Expired",
  "Aborted",
]);

export function isFinalPhase(phase: Phase | undefined): boolean {
  return phase !== undefined && FINAL.has(phase);
}

export function isFinished(request: RollbackRequest): boolean {
  return isFinalPhase(request.status?.phase);
}

/**
 * A request that waits for a person: it holds no lock and nothing has to wait for it. Until it was looked at it counts
 * as one, since it begins by waiting.
 */
export function isWaitingForApproval({ spec, status }: Pick<RollbackRequest, "spec" | "status">): boolean {
  if (spec.approval !== "Required" || spec.dryRun) return false;
  const phase = status?.phase;
  return phase === undefined || phase === "Planning" || phase === "AwaitingApproval";
}

/** Present from the announcement of the first act until the end, so that a deletion is seen and recorded. */
export const FINALIZER = "rollback.llm-research-lab.io/running";

export const ABORT_ANNOTATION = "rollback.llm-research-lab.io/abort";

export function isAbortAsked(request: RollbackRequest): boolean {
  return (
    request.metadata.deletionTimestamp !== undefined ||
    request.metadata.annotations?.[ABORT_ANNOTATION] === "true"
  );
}
