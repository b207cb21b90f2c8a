import { stripBookkeeping } from "./store.ts";
import type { KubeObject } from "./objects.ts";
import type { Deployment, ReplicaSet } from "./well-known.ts";

/**
 * A Deployment for the cache: without its pod template, which is most of it. Nothing that is put back is ever taken
 * from a cache, so nothing is lost.
 */
export function stripDeployment(object: Deployment): Deployment {
  const stripped = stripBookkeeping(object);
  return { ...stripped, spec: { ...stripped.spec, template: { spec: { containers: [] } } } };
}

/** For kinds of which only it is watched that something changed: who it is, nothing else. */
export function identityOnly<T extends KubeObject>({ apiVersion, kind, metadata }: T): T {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
  } as unknown as T;
}

/** A ReplicaSet for the cache: who it is and whose, without its pod template. */
export function stripReplicaSet(object: ReplicaSet): ReplicaSet {
  const { spec, ...stripped } = stripBookkeeping(object);
  return {
    ...stripped,
    spec: { replicas: spec.replicas ?? 0, selector: {}, template: { spec: { containers: [] } } },
  };
}
