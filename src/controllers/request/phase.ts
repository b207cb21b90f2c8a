import type { HoldStatus } from "../../crds/gitops-hold.ts";
import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import type { Phase } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";

const FINAL: ReadonlySet<Phase> = new Set([
  "Succeeded",
  "Failed",
  "Compensated",
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

/** It stops a GitOps tool still, or may. */
export function isOpenHold({ state }: Pick<HoldStatus, "state">): boolean {
  return state === "Setting" || state === "Held";
}

export function hasOpenHolds({ status }: Pick<RollbackRequest, "status">): boolean {
  return status?.holds?.some(isOpenHold) === true;
}

/** Present from the announcement of the first act until the end, so that a deletion is seen and recorded. */
export const FINALIZER = "rollback.llm-research-lab.io/running";

export function isAbortAsked({ metadata }: RollbackRequest): boolean {
  return (
    metadata.deletionTimestamp !== undefined || metadata.annotations?.[REQUEST_ANNOTATIONS.abort] === "true"
  );
}

/** The plan that somebody approved, whether or not it is the plan still. */
export function approvedPlan({ metadata: { annotations = {} } }: RollbackRequest) {
  const digest = annotations[REQUEST_ANNOTATIONS.approve] ?? "";
  return digest === "" ? undefined : { digest, by: named(annotations[REQUEST_ANNOTATIONS.approvedBy]) };
}

export function denial({ metadata: { annotations = {} } }: RollbackRequest) {
  const reason = annotations[REQUEST_ANNOTATIONS.deny];
  return reason === undefined ? undefined : { reason, by: named(annotations[REQUEST_ANNOTATIONS.deniedBy]) };
}

function named(name: string | undefined): string | undefined {
  return name === "" ? undefined : name;
}
