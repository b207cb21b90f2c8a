import type { KubeClient } from "../kube/client.ts";
import {
  scalableType,
  scaleType,
  type ScalableKind,
  type ScalableWorkload,
  type Scale,
} from "../kube/scale-types.ts";
import { podType, replicaSetType, type Pod, type PodTemplateSpec } from "../kube/well-known.ts";
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

export function templateOf({ workload }: ScaleTarget): PodTemplateSpec {
  // Both kinds have one.
  return workload.spec["template"] as PodTemplateSpec;
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
  target: ScaleTarget,
  executor: KubeClient,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const { namespace = "" } = target.workload.metadata;
  const labelSelector = podSelector(target);
  const [pods, isOwn] = await Promise.all([
    executor.list(podType, { namespace, labelSelector, signal }),
    ownership(target, executor, signal),
  ]);
  return pods.items.filter(isOwn);
}

/** Tells pods that the workload owns; of pods that were listed before it was asked. Throws KubeError. */
export async function ownership(
  target: ScaleTarget,
  executor: KubeClient,
  signal: AbortSignal,
): Promise<(pod: Pick<Pod, "metadata">) => boolean> {
  const { kind, workload } = target;
  const { namespace = "", uid } = workload.metadata;
  if (kind !== "Deployment") return isControlledBy(new Set([uid]));
  const sets = await executor.list(replicaSetType, { namespace, labelSelector: podSelector(target), signal });
  const own = sets.items.filter(isControlledBy(new Set([uid])));
  return isControlledBy(new Set(own.map(({ metadata }) => metadata.uid)));
}

function podSelector({ workload, scale }: ScaleTarget): string {
  return scale.status?.selector ?? selectorText(workload.spec.selector);
}

function isControlledBy(owners: ReadonlySet<string>) {
  return ({ metadata }: Pick<Pod, "metadata">) =>
    metadata.ownerReferences?.some((owner) => owner.controller === true && owners.has(owner.uid)) ?? false;
}
