import type { Deployment, WireCondition } from "../../kube/well-known.ts";
import { podComplaints, type PodComplaint } from "../../workloads/pod-complaints.ts";
import { podsOfRevisions } from "../../workloads/pods.ts";
import { readRevisions } from "../../workloads/read-workload.ts";
import { toRef } from "../../workloads/revisions.ts";
import { rolloutState } from "../../workloads/rollout-state.ts";
import { sameTemplate } from "../../workloads/template.ts";
import type { ApplyContext, Progress } from "../action.ts";
import type { WorkloadPlan } from "./plan.ts";

/** Watch events wake the step; this only bounds how long a lost one can delay it. */
const POLL_MS = 1_000;

/** How far the rollout of the restored template is, by the rules of `kubectl rollout status`, without its trap. */
export async function observeWorkload(
  plan: WorkloadPlan,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<Progress> {
  const name = plan.object.slice("Deployment/".length);
  const { executor, namespace, signal } = context;
  const workload = await readRevisions(executor, namespace, name, [plan.to.name], signal);
  if (workload === undefined) return superseded(`${plan.object} is gone`);
  const { deployment, revisions } = workload;
  if (deployment.metadata.uid !== plan.objectUid) {
    return superseded(`${plan.object} was deleted and created again`);
  }
  const to = revisions.find(({ uid }) => uid === plan.to.uid);
  if (to === undefined || !sameTemplate(deployment.spec.template, to.template)) {
    return superseded(`${plan.object} was changed by somebody else after the act`);
  }
  const state = rolloutState(deployment);
  const after = toRef(to);
  if (state.complete) return { kind: "Done", message: state.message, after };
  const complaints = podComplaints(await podsOfRevisions(deployment, [to], executor, signal));
  const stuck = stuckReason(deployment, complaints, context, stuckAfterMs);
  // The revision is only renumbered once the controller has seen the change.
  const known = state.observed ? { after } : {};
  if (stuck !== undefined) {
    return { kind: "Failed", reason: "Stuck", message: `${state.message}; ${stuck}`, ...known };
  }
  const words = [state.message, ...complaints.slice(0, 3).map(({ text }) => text)];
  return { kind: "InProgress", message: words.join("; "), pollAfterMs: POLL_MS, ...known };
}

/** Why waiting longer is of no use, if that is so. */
function stuckReason(
  deployment: Deployment,
  complaints: readonly PodComplaint[],
  context: ApplyContext,
  stuckAfterMs: number,
): string | undefined {
  const since = context.appliedAt ?? context.now;
  // A pod of a long rollout gets its own time: the first pull of a young one may well fail.
  const hopeless = complaints.filter(
    (complaint) =>
      (complaint.kind === "Image" || complaint.kind === "Config") &&
      context.now - Math.max(since, complaint.since) >= stuckAfterMs,
  );
  if (hopeless.length > 0) {
    return `the restored version cannot start: ${texts(hopeless)}`;
  }
  const failure = deployment.status?.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  if (failure !== undefined && context.now - since >= stuckAfterMs) {
    return `pods cannot be created: ${failure.message ?? failure.reason ?? "ReplicaFailure"}`;
  }
  if (progressDeadlineExceeded(deployment.status?.conditions ?? [], since)) {
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

function superseded(message: string): Progress {
  return { kind: "Superseded", message };
}
