import { abortable } from "./abort.ts";
import { keyOf, type KubeObject } from "./objects.ts";
import { compareResourceVersions } from "./resource-version.ts";

/** One change of a store. A successor of the same name with another UID comes as deleted, then added. */
export type StoreChange<T> =
  | {
      readonly type: "added";
      readonly object: T;
      /** From the first list: already there when we started, so no news. */
      readonly initial: boolean;
    }
  | { readonly type: "updated"; readonly object: T; readonly previous: T }
  | { readonly type: "deleted"; readonly object: T };

/** Read side: objects are frozen, stripped by the transform, and may be behind the server. */
export interface Store<T extends KubeObject> {
  /** By `namespace/name`, or `name`. */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Objects for which the named indexer gave `value`. Throws TypeError for an unknown index. */
  byIndex(index: string, value: string): readonly T[];
  readonly size: number;
  hasSynced(): boolean;
  /** Resolves once the first list is in; rejects with the signal's reason. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Calls the listener after each change, synchronously; returns how to stop it. */
  onChange(listener: (change: StoreChange<T>) => void): () => void;
}

/** Write side, for the reflector and for tests. */
export interface WritableStore<T extends KubeObject> extends Store<T> {
  /** Takes a newer object; duplicates and older versions are ignored. */
  upsert(object: T): void;
  /** Takes a deletion; one that tells of an earlier object of the same name is ignored. */
  remove(object: T): void;
  /**
   * Takes the whole content of a scope (a namespace, or "" for everything) as the truth, whatever the versions:
   * a restored etcd goes back in time. Objects that vanished come as deleted.
   */
  replace(scope: string, objects: readonly T[]): void;
  /** Strips and freezes: done page by page, so that a long list is never held whole. */
  prepare(object: T): T;
  markSynced(): void;
}

export interface StoreOptions<T extends KubeObject> {
  /** Applied at entry; may change the object it is given. Drops managedFields and last-applied by default. */
  readonly transform?: (object: T) => T;
  readonly indexers?: Readonly<Record<string, (object: T) => readonly string[]>>;
  /** A listener threw; the store goes on. */
  readonly onListenerError?: (error: unknown) => void;
}

/** An empty store. */
export function createStore<T extends KubeObject>(options: StoreOptions<T> = {}): WritableStore<T> {
  const transform = options.transform ?? stripBookkeeping;
  const indexers = Object.entries(options.indexers ?? {});
  const objects = new Map<string, T>();
  const indexes = new Map(indexers.map(([name]) => [name, new Map<string, string | Set<string>>()]));
  const listeners = new Set<(change: StoreChange<T>) => void>();
  const firstSync = Promise.withResolvers<void>();
  let synced = false;

  function index(key: string, object: T, present: boolean): void {
    for (const [name, values] of indexers) {
      const entries = indexes.get(name);
      for (const value of values(object)) {
        if (entries === undefined) continue;
        if (present) addKey(entries, value, key);
        else removeKey(entries, value, key);
      }
    }
  }

  function put(key: string, object: T): void {
    const previous = objects.get(key);
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) drop(key, previous);
    const same = objects.get(key);
    if (same !== undefined) index(key, same, false);
    objects.set(key, object);
    index(key, object, true);
    emit(
      same === undefined
        ? { type: "added", object, initial: !synced }
        : { type: "updated", object, previous: same },
    );
  }

  function drop(key: string, object: T): void {
    objects.delete(key);
    index(key, object, false);
    emit({ type: "deleted", object });
  }

  function emit(change: StoreChange<T>): void {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        options.onListenerError?.(error);
      }
    }
  }

  return {
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    byIndex(name, value) {
      const entries = indexes.get(name);
      if (entries === undefined) throw new TypeError(`the store has no index "${name}"`);
      const found = entries.get(value) ?? [];
      const keys = typeof found === "string" ? [found] : [...found];
      return keys.flatMap((key) => objects.get(key) ?? []);
    },
    get size() {
      return objects.size;
    },
    hasSynced: () => synced,
    whenSynced: (signal) => abortable(firstSync.promise, signal),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    prepare: (object) => (Object.isFrozen(object) ? object : deepFreeze(transform(object))),
    upsert(object) {
      const key = keyOf(object);
      const known = objects.get(key);
      if (known === undefined || !isOlderOrSame(object, known)) put(key, this.prepare(object));
    },
    remove(object) {
      const key = keyOf(object);
      const known = objects.get(key);
      if (known === undefined) return;
      // A UID never comes back, so a deletion of the same UID counts whatever its version.
      if (known.metadata.uid === object.metadata.uid || !isOlderOrSame(object, known)) drop(key, known);
    },
    replace(scope, content) {
      const vanished = new Map(
        [...objects].filter(([, known]) => scope === "" || known.metadata.namespace === scope),
      );
      for (const object of content) {
        const key = keyOf(object);
        vanished.delete(key);
        if (!isSame(object, objects.get(key))) put(key, this.prepare(object));
      }
      for (const [key, object] of vanished) drop(key, object);
    },
    markSynced() {
      synced = true;
      firstSync.resolve();
    },
  };
}

/** Keys of an index: most values have one object, for which a set would be several times the memory. */
type Keys = Map<string, string | Set<string>>;

function addKey(entries: Keys, value: string, key: string): void {
  const known = entries.get(value);
  if (known === undefined || known === key) entries.set(value, key);
  else if (typeof known === "string") entries.set(value, new Set([known, key]));
  else known.add(key);
}

function removeKey(entries: Keys, value: string, key: string): void {
  const known = entries.get(value);
  if (known === key) entries.delete(value);
  else if (typeof known === "object" && known.delete(key) && known.size === 0) entries.delete(value);
}

/**
 * Removes managedFields and the last-applied annotation, often half of an object. Such an object must not be PUT
 * back as a whole: read it from the server first.
 */
export function stripBookkeeping<T extends KubeObject>(object: T): T {
  // Left out while copying: `delete` would turn each object into a hash table, several times its size.
  const { managedFields: _, ...metadata } = object.metadata as KubeObject["metadata"] & {
    readonly managedFields?: unknown;
  };
  if (metadata.annotations === undefined) return { ...object, metadata };
  const { "kubectl.kubernetes.io/last-applied-configuration": __, ...annotations } = metadata.annotations;
  return { ...object, metadata: { ...metadata, annotations } };
}

function isSame(object: KubeObject, known: KubeObject | undefined): boolean {
  return (
    known !== undefined &&
    known.metadata.uid === object.metadata.uid &&
    known.metadata.resourceVersion === object.metadata.resourceVersion
  );
}

function isOlderOrSame(object: KubeObject, known: KubeObject): boolean {
  const order = compareResourceVersions(object.metadata.resourceVersion, known.metadata.resourceVersion);
  return order === undefined ? isSame(object, known) : order <= 0;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
