import type { Pod } from "../../kube/well-known.ts";
import type { StatefulSet } from "../../kube/workload-types.ts";
import { isInRollout, isPodAvailable, isPodReady, placeOf, podRevisionOf } from "../../workloads/pods.ts";
import { isOnDelete, type LiveSet } from "../../workloads/workload.ts";

/** What has to happen to pods of other revisions that no controller replaces. */
export type PodAct =
  | { readonly kind: "None" }
  /** The next eviction waits for the pods in between. */
  | { readonly kind: "Wait"; readonly message: string }
  | { readonly kind: "Delete"; readonly pods: readonly Pod[] }
  | { readonly kind: "Evict"; readonly pod: Pod };

/**
 * The next act on a workload's own pods (those that go away included), once its controller has taken the restored
 * template up; `label` is what pods of that revision carry. Pure. `now` is milliseconds since the epoch.
 *
 * A StatefulSet with OrderedReady waits for ever at a pod of another revision that does not get ready
 * (kubernetes/kubernetes#67250; its documentation calls the cure "forced rollback"): those are deleted, and only those.
 * OnDelete replaces nothing by itself: pods of other revisions are evicted, one at a time.
 */
export function nextPodAct(workload: LiveSet, pods: readonly Pod[], label: string, now: number): PodAct {
  const stale = inOrder(workload, pods).filter(
    (pod) => !isLeaving(pod) && podRevisionOf(workload.kind, pod) !== label,
  );
  if (isOnDelete(workload.object.spec)) return nextEviction(workload, pods, stale, now);
  if (workload.kind !== "StatefulSet" || !isOrdered(workload.object)) return { kind: "None" };
  const blocking = stale.filter((pod) => !isPodReady(pod) && isInRollout(pod, workload));
  return blocking.length === 0 ? { kind: "None" } : { kind: "Delete", pods: blocking };
}

/** Broken pods first: they serve nobody, and an ordered set makes no other pod while there is one. */
function nextEviction(
  { kind, object }: LiveSet,
  pods: readonly Pod[],
  stale: readonly Pod[],
  now: number,
): PodAct {
  const broken = stale.find((pod) => !isPodReady(pod));
  const next = broken ?? stale[0];
  if (next === undefined) return { kind: "None" };
  const leaving = pods.find(isLeaving);
  if (leaving !== undefined) return wait(`until pod ${leaving.metadata.name} is gone`);
  if (broken !== undefined) return { kind: "Evict", pod: broken };
  const wanted = kind === "StatefulSet" ? (object.spec.replicas ?? 1) : desired(object.status);
  if (pods.length < wanted) return wait(`until ${wanted} pods are there (${pods.length} now)`);
  const unavailable = pods.find((pod) => !isPodAvailable(pod, object.spec.minReadySeconds ?? 0, now));
  if (unavailable !== undefined) return wait(`until pod ${unavailable.metadata.name} is available`);
  return { kind: "Evict", pod: next };
}

function desired(status: { readonly desiredNumberScheduled?: number } | undefined): number {
  return status?.desiredNumberScheduled ?? 0;
}

function wait(until: string): PodAct {
  return { kind: "Wait", message: `the next eviction waits ${until}` };
}

/** Highest ordinal first, as a StatefulSet itself goes; by name for a DaemonSet, whose order means nothing. */
function inOrder(workload: LiveSet, pods: readonly Pod[]): readonly Pod[] {
  return workload.kind === "StatefulSet"
    ? pods.toSorted((a, b) => placeOf(b, workload.object) - placeOf(a, workload.object))
    : pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

function isLeaving({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function isOrdered({ spec }: StatefulSet): boolean {
  return spec.podManagementPolicy !== "Parallel";
}
