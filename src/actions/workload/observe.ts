import type { Pod, WireCondition } from "../../kube/well-known.ts";
import { podComplaints, type PodComplaint } from "../../workloads/pod-complaints.ts";
import { ownPods, podLabelOf, podRevisionOf, podsOfRevisions } from "../../workloads/pods.ts";
import type { Workload } from "../../workloads/read-workload.ts";
import { toRef, type Revision } from "../../workloads/revisions.ts";
import { rolloutStateOf } from "../../workloads/rollout-state.ts";
import type { LiveWorkload } from "../../workloads/workload.ts";
import type { ApplyContext, Progress } from "../action.ts";
import { lookAt } from "./look.ts";
import type { WorkloadPlan } from "./plan.ts";
import { nextPodAct, type PodAct } from "./stale-pods.ts";

/** Watch events wake the step; this only bounds how long a lost one can delay it. */
const POLL_MS = 1_000;

/** How far the rollout of the restored template is, by the rules of `kubectl rollout status`, without its trap. */
export async function observeWorkload(
  plan: WorkloadPlan,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<Progress> {
  const look = await lookAt(plan, context);
  if (look.kind === "Superseded") return look;
  const { workload, product } = look;
  const state = rolloutStateOf(workload);
  if (state.complete && product !== undefined) {
    return { kind: "Done", message: state.message, after: toRef(product) };
  }
  const { pods, act } = await podsAndAct(workload, product, context);
  const complaints = podComplaints(pods);
  const stuck = stuckReason(workload, complaints, context, stuckAfterMs);
  // The revision is only renumbered once the controller has seen the change.
  const known = product === undefined ? {} : { after: toRef(product) };
  if (stuck !== undefined) {
    return { kind: "Failed", reason: "Stuck", message: `${state.message}; ${stuck}`, ...known };
  }
  const words = [
    state.message,
    ...(act.kind === "Wait" ? [act.message] : []),
    ...complaints.slice(0, 3).map(({ text }) => text),
  ];
  const isDue = act.kind === "Delete" || act.kind === "Evict";
  return {
    kind: "InProgress",
    message: words.join("; "),
    pollAfterMs: POLL_MS,
    ...known,
    ...(isDue ? { needsAdvance: true } : {}),
  };
}

/** Pods of the restored version, and what has to be done about the others. */
async function podsAndAct(
  workload: Workload,
  product: Revision | undefined,
  { executor, signal, now }: ApplyContext,
): Promise<{ readonly pods: readonly Pod[]; readonly act: PodAct }> {
  if (product === undefined) return { pods: [], act: { kind: "None" } };
  if (workload.kind === "Deployment") {
    return { pods: await podsOfRevisions(workload, [product], executor, signal), act: { kind: "None" } };
  }
  const label = podLabelOf(workload.kind, product);
  const all = await ownPods(workload, executor, signal);
  const pods = all.filter((pod) => podRevisionOf(workload.kind, pod) === label);
  return { pods, act: nextPodAct(workload, all, label, now) };
}

/** Why waiting longer is of no use, if that is so. */
function stuckReason(
  { object }: LiveWorkload,
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
  const failure = object.status?.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  if (failure !== undefined && context.now - since >= stuckAfterMs) {
    return `pods cannot be created: ${failure.message ?? failure.reason ?? "ReplicaFailure"}`;
  }
  if (progressDeadlineExceeded(object.status?.conditions ?? [], since)) {
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
