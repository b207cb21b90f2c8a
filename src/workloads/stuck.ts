import type { WireCondition } from "../kube/well-known.ts";
import type { PodComplaint } from "./pod-complaints.ts";

export interface StuckOptions {
  /** How long image and configuration errors are borne, milliseconds. */
  readonly stuckAfterMs: number;
  /** Whose pods they are, for the message. */
  readonly who: string;
}

/** Why waiting longer for pods is of no use, if that is so. Times are milliseconds since the epoch. */
export function stuckReason(
  { status }: { readonly status?: { readonly conditions?: readonly WireCondition[] } },
  complaints: readonly PodComplaint[],
  context: { readonly now: number; readonly appliedAt: number | undefined },
  { stuckAfterMs, who }: StuckOptions,
): string | undefined {
  const since = context.appliedAt ?? context.now;
  // A pod of a long rollout gets its own time: the first pull of a young one may well fail.
  const hopeless = complaints.filter(
    (complaint) =>
      (complaint.kind === "Image" || complaint.kind === "Config") &&
      context.now - Math.max(since, complaint.since) >= stuckAfterMs,
  );
  if (hopeless.length > 0) {
    return `${who} cannot start: ${texts(hopeless)}`;
  }
  const failure = status?.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  if (failure !== undefined && context.now - since >= stuckAfterMs) {
    return `pods cannot be created: ${failure.message ?? failure.reason ?? "ReplicaFailure"}`;
  }
  if (progressDeadlineExceeded(status?.conditions ?? [], since)) {
    return `the progress deadline passed: ${texts(complaints) || "no pod gives a reason"}`;
  }
  return undefined;
}

/** The condition of a stuck release outlives its undo; only one written after our change speaks of our change. */
function progressDeadlineExceeded(conditions: readonly WireCondition[], since: number): boolean {
  const progressing = conditions.find(({ type }) => type === "Progressing");
  return (
    progressing?.reason === "ProgressDeadlineExceeded" && Date.parse(progressing.lastUpdateTime ?? "") > since
  );
}

function texts(complaints: readonly PodComplaint[]): string {
  return complaints
    .slice(0, 3)
    .map(({ text }) => text)
    .join("; ");
}
