import type { KubeClient } from "../kube/client.ts";
import { podType, type Deployment, type Pod } from "../kube/well-known.ts";
import { selectorText } from "./read-workload.ts";
import { HASH_LABEL } from "./template.ts";
import type { Revision } from "./revisions.ts";

/**
 * Pods of the Deployment's own ReplicaSets, by owner UID (a selector alone also finds strangers). Pods that are going
 * away are left out.
 */
export async function podsOfRevisions(
  deployment: Deployment,
  revisions: readonly Pick<Revision, "uid">[],
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly Pod[]> {
  const { namespace = "" } = deployment.metadata;
  const labelSelector = selectorText(deployment.spec.selector);
  const { items } = await client.list(podType, { namespace, labelSelector, signal });
  const uids = new Set(revisions.map(({ uid }) => uid));
  return items.filter(
    ({ metadata }) =>
      metadata.deletionTimestamp === undefined &&
      metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uids.has(uid)),
  );
}

export function podTemplateHashOf(pod: Pod): string | undefined {
  return pod.metadata.labels?.[HASH_LABEL];
}

export function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
