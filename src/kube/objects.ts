/** The part of ObjectMeta we read. Times are RFC 3339 strings exactly as the server sent them. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number | undefined;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string | undefined;
  /** Seconds from the wish to delete it to `deletionTimestamp`. */
  readonly deletionGracePeriodSeconds?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

/**
 * Any object as it stands on the wire. The types of this folder describe the fields we read; objects themselves
 * are parsed JSON and keep every field, known or not.
 */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** Metadata of an object that does not exist yet: one of name and generateName, no server-made fields. */
export interface NewObjectMeta {
  readonly name?: string | undefined;
  readonly generateName?: string | undefined;
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

/** What `create` takes; apiVersion and kind are filled in from the resource type. */
export type NewObject<T extends KubeObject> = Omit<T, "metadata" | "status" | "apiVersion" | "kind"> & {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: NewObjectMeta;
};

declare const objectType: unique symbol;

/** Where a kind lives in the API. T, the type of its objects, exists for the compiler only. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** `v1` for the core group, else `group/version`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly [objectType]?: T;
}

/** Names a kind once, with the type of its objects. */
export function defineResource<T extends KubeObject>(type: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}): ResourceType<T> {
  return type;
}

/** API group of a kind: empty for the core group. */
export function groupOf(type: Pick<ResourceType, "apiVersion">): string {
  const slash = type.apiVersion.indexOf("/");
  return slash < 0 ? "" : type.apiVersion.slice(0, slash);
}

/** `deployments.apps`, `pods`: the name of a kind in messages and metrics. */
export function resourceName(type: Pick<ResourceType, "apiVersion" | "plural">): string {
  const group = groupOf(type);
  return group === "" ? type.plural : `${type.plural}.${group}`;
}

/** Identity of an object within its kind; namespace is empty for cluster-scoped kinds. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/** Namespace and name of an object. */
export function objectKey(object: Pick<KubeObject, "metadata">): ObjectKey {
  return { namespace: object.metadata.namespace ?? "", name: object.metadata.name };
}

/** `namespace/name`, or `name` for a cluster-scoped object: the key of stores and queues. */
export function keyOf(object: Pick<KubeObject, "metadata">): string {
  return formatKey(objectKey(object));
}

/** The string form of a key; `parseKey` is its inverse. */
export function formatKey(key: ObjectKey): string {
  // Joined: a template would make a rope, which as the key of a map keeps its pieces, twice the memory.
  return key.namespace === "" ? key.name : [key.namespace, key.name].join("/");
}

/** Reads `namespace/name` or `name`. Throws TypeError on anything else. */
export function parseKey(key: string): ObjectKey {
  const parts = key.split("/");
  const [first = "", second] = parts;
  if (parts.length > 2 || first === "" || second === "") {
    throw new TypeError(`"${key}" is not an object key: expected "namespace/name" or "name"`);
  }
  return second === undefined ? { namespace: "", name: first } : { namespace: first, name: second };
}
