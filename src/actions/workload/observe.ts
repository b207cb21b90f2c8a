import type { Deployment, Pod } from "../../kube/well-known.ts";
import { podComplaints } from "../../workloads/pod-complaints.ts";
import { ownPods, podLabelOf, podRevisionOf, podsOfRevisions } from "../../workloads/pods.ts";
import type { Workload } from "../../workloads/read-workload.ts";
import { toRef, type Revision } from "../../workloads/revisions.ts";
import { rolloutStateOf } from "../../workloads/rollout-state.ts";
import { stuckReason } from "../../workloads/stuck.ts";
import { hasReplicaSets } from "../../workloads/workload.ts";
import type { ApplyContext, Progress } from "../action.ts";
import { promotionOf } from "./flagger/promotion.ts";
import { lookAt } from "./look.ts";
import type { WorkloadPlan } from "./plan.ts";
import { needsAdvance } from "./rollout/advance.ts";
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
  if (plan.promotedBy !== undefined && product !== undefined && workload.kind === "Deployment") {
    return observePromotion(plan.promotedBy, workload.object, product, context);
  }
  if (state.complete && product !== undefined) {
    return { kind: "Done", message: state.message, after: toRef(product) };
  }
  const { pods, act } = await podsAndAct(workload, product, context);
  const complaints = podComplaints(pods);
  const stuck = stuckReason(workload.object, complaints, context, {
    stuckAfterMs,
    who: "the restored version",
  });
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
  const isHeld = workload.kind === "Rollout" && needsAdvance(workload.object, context);
  const isDue = isHeld || act.kind === "Delete" || act.kind === "Evict";
  return {
    kind: "InProgress",
    message: words.join("; "),
    pollAfterMs: POLL_MS,
    ...known,
    ...(isDue ? { needsAdvance: true } : {}),
  };
}

/** What Flagger makes of the restored template. */
async function observePromotion(
  promotedBy: string,
  target: Deployment,
  product: Revision,
  context: ApplyContext,
): Promise<Progress> {
  const { kind, message } = await promotionOf(promotedBy, target, context);
  const after = toRef(product);
  switch (kind) {
    case "Done":
      return { kind, message, after };
    case "Failed":
      return { kind, reason: "NotPromoted", message, after };
    case "InProgress":
      return { kind, message, pollAfterMs: POLL_MS, after };
  }
}

/** Pods of the restored version, and what has to be done about the others. */
async function podsAndAct(
  workload: Workload,
  product: Revision | undefined,
  { executor, signal, now }: ApplyContext,
): Promise<{ readonly pods: readonly Pod[]; readonly act: PodAct }> {
  if (product === undefined) return { pods: [], act: { kind: "None" } };
  if (hasReplicaSets(workload)) {
    return { pods: await podsOfRevisions(workload, [product], executor, signal), act: { kind: "None" } };
  }
  const label = podLabelOf(workload.kind, product);
  const all = await ownPods(workload, executor, signal);
  const pods = all.filter((pod) => podRevisionOf(workload.kind, pod) === label);
  return { pods, act: nextPodAct(workload, all, label, now) };
}
