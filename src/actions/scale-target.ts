import type { KubeClient } from "../kube/client.ts";
import {
  scalableType,
  scaleType,
  type ScalableKind,
  type ScalableWorkload,
  type Scale,
} from "../kube/scale-types.ts";
import { podType, replicaSetType, type Pod } from "../kube/well-known.ts";
import { selectorText } from "../workloads/read-workload.ts";

/** A workload together with its subresource `scale`, read now. */
export interface ScaleTarget {
  readonly kind: ScalableKind;
  readonly workload: ScalableWorkload;
  readonly scale: Scale;
  /** How many pods are wanted. */
  readonly replicas: number;
}

/** Undefined when there is no such workload. Throws KubeError. */
export async function readTarget(
  executor: KubeClient,
  namespace: string,
  { kind, name }: { readonly kind: ScalableKind; readonly name: string },
  signal: AbortSignal,
): Promise<ScaleTarget | undefined> {
  const key = { namespace, name };
  const [workload, scale] = await Promise.all([
    executor.tryGet(scalableType(kind), key, { signal }),
    executor.tryGet(scaleType(kind), key, { signal, subresource: "scale" }),
  ]);
  if (workload === undefined || scale === undefined) return undefined;
  return { kind, workload, scale, replicas: scale.spec?.replicas ?? 0 };
}

/** The inverse of `Kind/name`. Throws TypeError on anything else. */
export function parseObject(object: string): { readonly kind: ScalableKind; readonly name: string } {
  const [kind = "", name = ""] = object.split("/");
  if ((kind !== "Deployment" && kind !== "StatefulSet") || name === "") {
    throw new TypeError(`"${object}" is nothing that can be scaled`);
  }
  return { kind, name };
}

/** Pods that the workload owns, terminating ones too: its selector alone also finds strangers. Throws KubeError. */
export async function ownedPods(
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
