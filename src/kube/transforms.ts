import type { KubeObject, ObjectMeta, OwnerReference } from "./objects.ts";
import { stripBookkeeping } from "./store.ts";
import { configMapNames } from "./config-map-names.ts";
import { replicaSetType, type Deployment, type PodTemplateSpec, type ReplicaSet } from "./well-known.ts";

const NO_TEMPLATE = { spec: { containers: [] } };

/**
 * A Deployment for the cache: whose it is, how far its rollout is, and which ConfigMaps it uses. Without the rest of its
 * pod template, which is most of it, and conditions. Nothing that is put back is ever taken from a cache, so nothing is lost.
 */
export function stripDeployment(object: Deployment): Deployment {
  const { apiVersion, kind, metadata, spec, status = {} } = stripBookkeeping(object);
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  return {
    apiVersion,
    kind,
    metadata,
    spec: {
      replicas: spec.replicas ?? 1,
      paused: spec.paused ?? false,
      selector: {},
      template: onlyConfigMaps(spec.template),
    },
    status: { observedGeneration, replicas, updatedReplicas, availableReplicas },
  };
}

/** Which ConfigMaps it uses, as if all of them were volumes: of those snapshots are kept. */
function onlyConfigMaps(template: PodTemplateSpec): PodTemplateSpec {
  const names = configMapNames(template);
  if (names.length === 0) return NO_TEMPLATE;
  return { spec: { containers: [], volumes: names.map((name) => ({ name, configMap: { name } })) } };
}

/** For kinds of which it is watched that something changed: who it is, and these annotations if it has them. */
export function bareIdentity(annotationNames: readonly string[]) {
  return <T extends KubeObject>({ apiVersion, kind, metadata }: T): T => {
    const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
    const annotations = only(metadata.annotations, annotationNames);
    return {
      apiVersion,
      kind,
      metadata: {
        name,
        namespace,
        uid,
        resourceVersion,
        creationTimestamp,
        ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      },
    } as unknown as T;
  };
}

/** The labels and annotations by which a controller tells its revisions apart. */
export interface IdentityNames {
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

/**
 * Reduces metadata to who an object is and whose: of tens of thousands of revisions nothing else is kept. A list comes
 * sorted by name, so what neighbours share (namespace, owner) is kept once.
 */
export function identityOnly(names: IdentityNames): (metadata: ObjectMeta) => ObjectMeta {
  let namespace: string | undefined;
  let owners: readonly OwnerReference[] | undefined;
  const shared = sharedValues();
  return (metadata) => {
    if (metadata.namespace !== namespace) namespace = metadata.namespace;
    const controllers = (metadata.ownerReferences ?? []).filter(({ controller }) => controller === true);
    if (owners?.[0]?.uid !== controllers[0]?.uid) owners = controllers;
    return {
      name: metadata.name,
      namespace,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      creationTimestamp: metadata.creationTimestamp,
      labels: only(metadata.labels, names.labels),
      annotations: shared(only(metadata.annotations, names.annotations)),
      ownerReferences: owners,
    };
  };
}

/** Sets of values that are kept once; more different ones than this are not of the kind that repeats. */
const MOST_SHARED = 1_000;

/** Revision numbers are small, so tens of thousands of revisions have the same few annotations: 4 MiB of 50,000. */
function sharedValues() {
  const known = new Map<string, Readonly<Record<string, string>>>();
  return (values: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
    const text = JSON.stringify(values);
    const same = known.get(text);
    if (same === undefined && known.size < MOST_SHARED) known.set(text, values);
    return same ?? values;
  };
}

/** A ReplicaSet of a metadata-only list or watch as the cache keeps it: without content, which never came. */
export function identifyReplicaSets(names: IdentityNames): (object: KubeObject) => ReplicaSet {
  const identity = identityOnly(names);
  const { apiVersion, kind } = replicaSetType;
  return ({ metadata }) => ({
    apiVersion,
    kind,
    metadata: identity(metadata),
    spec: NO_REPLICA_SET_CONTENT,
  });
}

const NO_REPLICA_SET_CONTENT: ReplicaSet["spec"] = { selector: {}, template: NO_TEMPLATE };

function only(
  values: Readonly<Record<string, string>> | undefined,
  names: readonly string[],
): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const name of names) {
    const value = values?.[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
