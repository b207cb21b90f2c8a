import {
  causesOf,
  errorMessage,
  isConflict,
  isForbidden,
  isNotFound,
  isTooManyRequests,
  isUnavailable,
} from "../../kube/errors.ts";
import { objectKey } from "../../kube/objects.ts";
import { podType, type Pod } from "../../kube/well-known.ts";
import { ownPods, podLabelOf } from "../../workloads/pods.ts";
import type { Advance, ApplyContext } from "../action.ts";
import { lookAt } from "./look.ts";
import type { WorkloadPlan } from "./plan.ts";
import { advanceRollout } from "./rollout/advance.ts";
import { nextPodAct } from "./stale-pods.ts";

/**
 * Replaces pods of other revisions where no controller does it. Looks again first: a pod is only touched while the
 * restored template is live and taken up, since a pod that is deleted before would come back as the bad version. Of a
 * Rollout, ends the pause before the version that is stable anyway, and wakes a controller that missed the change.
 */
export async function advanceWorkload(plan: WorkloadPlan, context: ApplyContext): Promise<Advance> {
  const look = await lookAt(plan, context);
  if (look.kind !== "Ours") return nothing();
  const { workload, product } = look;
  if (workload.kind === "Rollout") return advanceRollout(workload.object, context);
  if (product === undefined || workload.kind === "Deployment") return nothing();
  const label = podLabelOf(workload.kind, product);
  // The status speaks of the newest spec by now; another revision there means that somebody changed it again.
  if (workload.kind === "StatefulSet" && workload.object.status?.updateRevision !== label) return nothing();
  const pods = await ownPods(workload, context.executor, context.signal);
  const act = nextPodAct(workload, pods, label, context.now);
  switch (act.kind) {
    case "None":
      return nothing();
    case "Wait":
      return { message: act.message };
    case "Delete": {
      const words: string[] = [];
      for (const pod of act.pods) words.push(await remove(pod, context));
      return { message: words.join("; ") };
    }
    case "Evict":
      return { message: await evict(act.pod, context) };
  }
}

function nothing(): Advance {
  return { message: "" };
}

async function remove(pod: Pod, { executor, signal }: ApplyContext): Promise<string> {
  const { name } = pod.metadata;
  return unlessMoved(
    name,
    executor.delete(podType, objectKey(pod), { signal, preconditions: preconditionsOf(pod) }),
    `pod ${name} of another revision, not ready, is deleted`,
  );
}

async function evict(pod: Pod, { executor, signal }: ApplyContext): Promise<string> {
  const { name } = pod.metadata;
  try {
    return await unlessMoved(
      name,
      executor.evict(objectKey(pod), { signal, preconditions: preconditionsOf(pod) }),
      `pod ${name} of another revision is evicted`,
    );
  } catch (error) {
    // 500 is the answer where several budgets hold one pod: the words tell, and only people can mend it.
    if (!isTooManyRequests(error) && !isUnavailable(error)) throw error;
    return `eviction of pod ${name} waits: ${budgetWords(error)}`;
  }
}

function preconditionsOf({ metadata }: Pod) {
  return { uid: metadata.uid, resourceVersion: metadata.resourceVersion };
}

/** A pod that changed or went in between is looked at again; a right that is missing is said. */
async function unlessMoved(name: string, act: Promise<void>, done: string): Promise<string> {
  try {
    await act;
    return done;
  } catch (error) {
    if (isForbidden(error)) return `pod ${name} stays: ${errorMessage(error)}`;
    if (!isConflict(error) && !isNotFound(error)) throw error;
    return `pod ${name} changed meanwhile`;
  }
}

/** The server names the PodDisruptionBudget in the causes of its answer only. */
function budgetWords(error: unknown): string {
  const words = causesOf(error);
  return words.length === 0 ? errorMessage(error) : `PodDisruptionBudget: ${words.join("; ")}`;
}
