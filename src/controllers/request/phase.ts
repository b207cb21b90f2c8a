import type { Phase } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";

const FINAL: ReadonlySet<Phase> = new Set(["Succeeded", "Failed", "Superseded", "Aborted"]);

export function isFinalPhase(phase: Phase | undefined): boolean {
  return phase !== undefined && FINAL.has(phase);
}

export function isFinished(request: RollbackRequest): boolean {
  return isFinalPhase(request.status?.phase);
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
