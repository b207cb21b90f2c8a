import { podComplaints } from "../../workloads/pod-complaints.ts";
import { isObserved } from "../../workloads/rollout-state.ts";
import { stuckReason } from "../../workloads/stuck.ts";
import type { ApplyContext, Progress } from "../action.ts";
import { superseded } from "../results.ts";
import { autoscalersOf, isMovedByHpa } from "../autoscalers.ts";
import type { ScalePlan } from "./plan.ts";
import { ownedPods, parseObject, readTarget } from "../scale-target.ts";

/** Watch events wake the step for Deployments; this bounds a lost one, and is all there is for StatefulSets. */
const POLL_MS = 1_000;

/** How far the number of pods follows; with 0 wanted, until none of them is left, those that terminate included. */
export async function observeScale(
  plan: ScalePlan,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<Progress> {
  const { executor, namespace, signal } = context;
  const { object, to } = plan;
  const target = await readTarget(executor, namespace, parseObject(object), signal);
  if (target === undefined) return superseded(`${object} is gone`);
  if (target.scale.metadata.uid !== plan.objectUid) {
    return superseded(`${object} was deleted and created again`);
  }
  const { replicas } = target;
  if (replicas !== to.replicas && !(await wasTakenOver(plan, replicas, context))) {
    return superseded(`${object} was set to ${replicas} replicas by somebody else after the act`);
  }
  const after = { replicas };
  const { status = {} } = target.workload;
  if (!isObserved(target.workload)) {
    return inProgress(`the ${target.kind} controller has not seen the change yet`, after);
  }
  const all = status.replicas ?? 0;
  const ready = status.readyReplicas ?? 0;
  if (replicas > 0 && all === replicas && ready === replicas) {
    return { kind: "Done", message: `${ready}/${replicas} ready`, after };
  }
  const pods = await ownedPods(target, executor, signal);
  if (replicas === 0) {
    const left = Math.max(all, pods.length);
    return left === 0
      ? { kind: "Done", message: "no pods left", after }
      : inProgress(`${left} pods are not gone yet`, after);
  }
  const complaints = podComplaints(pods);
  const numbers = `${ready}/${replicas} ready${all > replicas ? `, ${all - replicas} too many` : ""}`;
  const stuck = stuckReason(target.workload, complaints, context, { stuckAfterMs, who: "a pod" });
  if (stuck !== undefined) {
    return { kind: "Failed", reason: "Stuck", message: `${numbers}; ${stuck}`, after };
  }
  return inProgress([numbers, ...complaints.slice(0, 3).map(({ text }) => text)].join("; "), after);
}

/** A HorizontalPodAutoscaler takes over what we started from 0. */
async function wasTakenOver(
  { object, from, to }: ScalePlan,
  replicas: number,
  { executor, namespace, signal }: ApplyContext,
): Promise<boolean> {
  if (from.replicas > 0 || to.replicas === 0 || replicas === 0) return false;
  return isMovedByHpa(await autoscalersOf(parseObject(object), executor, namespace, signal));
}

function inProgress(message: string, after: { readonly replicas: number }): Progress {
  return { kind: "InProgress", message, pollAfterMs: POLL_MS, after };
}
