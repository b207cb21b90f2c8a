import type { KubeClient } from "../kube/client.ts";
import { podType, replicaSetType, type Pod } from "../kube/well-known.ts";
import { selectorText } from "../workloads/read-workload.ts";
import type { ScaleTarget } from "./scale-target.ts";

/** Pods that the workload owns, terminating ones too: its selector alone also finds strangers. Throws KubeError. */
export async function scaledPods(
  { kind, workload, scale }: ScaleTarget,
  executor: KubeClient,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const { namespace = "", uid } = workload.metadata;
  const labelSelector = scale.status?.selector ?? selectorText(workload.spec.selector);
  const [pods, sets] = await Promise.all([
    executor.list(podType, { namespace, labelSelector, signal }),
    kind === "Deployment" ? executor.list(replicaSetType, { namespace, labelSelector, signal }) : undefined,
  ]);
  const isOwnedBy = (owners: ReadonlySet<string>) => (object: Pick<Pod, "metadata">) =>
    object.metadata.ownerReferences?.some((owner) => owner.controller === true && owners.has(owner.uid)) ??
    false;
  const owners =
    sets === undefined ? [uid] : sets.items.filter(isOwnedBy(new Set([uid]))).map((set) => set.metadata.uid);
  return pods.items.filter(isOwnedBy(new Set(owners)));
}
