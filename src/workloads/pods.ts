import type { WorkloadKind } from "../crds/common.ts";
import type { KubeClient } from "../kube/client.ts";
import { podType, type Pod } from "../kube/well-known.ts";
import type { StatefulSet } from "../kube/workload-types.ts";
import { selectorText } from "./read-workload.ts";
import { isControlledBy, type RevisionIdentity } from "./revisions.ts";
import { ROLLOUT_HASH_LABEL } from "./rollout-template.ts";
import { HASH_LABEL } from "./template.ts";
import { hasReplicaSets, partitionOf, type LiveSet, type LiveWorkload } from "./workload.ts";

const REVISION_LABELS: Readonly<Record<WorkloadKind, string>> = {
  Deployment: HASH_LABEL,
  StatefulSet: "controller-revision-hash",
  DaemonSet: "controller-revision-hash",
  Rollout: ROLLOUT_HASH_LABEL,
};

type PodsOwner = Pick<RevisionIdentity, "uid" | "name" | "podTemplateHash">;

/**
 * Pods of a workload's revisions. Told by owner UID (a selector alone also finds strangers): the ReplicaSet's for a
 * Deployment or Rollout; for the others the workload's own, and the label with the revision. Pods that go away are left out.
 */
export async function podsOfRevisions(
  workload: LiveWorkload,
  revisions: readonly PodsOwner[],
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  if (hasReplicaSets(workload)) {
    const uids = new Set(revisions.map(({ uid }) => uid));
    return (await selectedPods(workload, client, signal)).filter(
      ({ metadata }) =>
        metadata.deletionTimestamp === undefined &&
        metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uids.has(uid)),
    );
  }
  const labels = new Set(revisions.map((revision) => podLabelOf(workload.kind, revision)));
  return (await ownPods(workload, client, signal)).filter(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined && labels.has(podRevisionOf(workload.kind, pod) ?? ""),
  );
}

/** All pods of a StatefulSet or DaemonSet, also those that go away. */
export async function ownPods(
  workload: LiveSet,
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  return (await selectedPods(workload, client, signal)).filter((pod) => isControlledBy(pod, workload.object));
}

async function selectedPods({ object }: LiveWorkload, client: KubeClient, signal: AbortSignal) {
  const { namespace = "" } = object.metadata;
  const labelSelector = selectorText(object.spec.selector ?? {});
  return (await client.list(podType, { namespace, labelSelector, signal })).items;
}

/** What the label of a revision's pods says: the hash, but for a StatefulSet the name of the ControllerRevision. */
export function podLabelOf(
  kind: WorkloadKind,
  revision: Pick<RevisionIdentity, "name" | "podTemplateHash">,
): string {
  return kind === "StatefulSet" ? revision.name : revision.podTemplateHash;
}

export function podRevisionOf(kind: WorkloadKind, pod: Pod): string | undefined {
  return pod.metadata.labels?.[REVISION_LABELS[kind]];
}

export function isPodReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === "True";
}

/** Ready for at least `minReadySeconds`. `now` is milliseconds since the epoch. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  if (!isPodReady(pod)) return false;
  const since = Date.parse(readyCondition(pod)?.lastTransitionTime ?? "");
  return minReadySeconds === 0 || now - since >= minReadySeconds * 1_000;
}

function readyCondition(pod: Pod) {
  return pod.status?.conditions?.find(({ type }) => type === "Ready");
}

/** Whether a rollout may change the pod: a partition keeps those of the lowest ordinals as they are. */
export function isInRollout(pod: Pod, workload: LiveWorkload): boolean {
  return workload.kind !== "StatefulSet" || placeOf(pod, workload.object) >= partitionOf(workload.object);
}

/** Place of a StatefulSet's pod, counted from `ordinals.start` as partitions are; -1 for a stranger's name. */
export function placeOf(pod: Pod, { spec }: StatefulSet): number {
  const ordinal = /-(\d+)$/.exec(pod.metadata.name)?.[1];
  return ordinal === undefined ? -1 : Number(ordinal) - (spec.ordinals?.start ?? 0);
}
