import type { NewObject, KubeObject, ObjectKey, ResourceType } from "./objects.ts";
import type { Patch } from "./patch.ts";
import type { RawAnswer } from "./raw-answer.ts";
import type { WatchEvent } from "./watch.ts";

/** What every call takes. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** For the whole call with its retries, ms; 15,000 by default. */
  readonly deadlineMs?: number | undefined;
}

export interface GetOptions extends CallOptions {
  /** Reads this instead of the object; T is then its type. */
  readonly subresource?: "scale" | undefined;
}

export interface ListOptions extends CallOptions {
  /** All namespaces when absent or empty. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Objects a page; 500 by default. */
  readonly limit?: number | undefined;
  /** The items hold metadata only: for kinds whose content nobody needs. */
  readonly metadataOnly?: boolean | undefined;
  /** Whatever the API server's watch cache holds now, at once; the answer may be behind and comes in one page. */
  readonly mayBeBehind?: boolean | undefined;
}

/** One page of a list; the last has no `continueToken`. */
export interface ListPage<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continueToken?: string;
}

export interface CollectedList<T> {
  readonly items: readonly T[];
  /** Where a watch may start. */
  readonly resourceVersion: string;
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  /** The objects hold metadata only. */
  readonly metadataOnly?: boolean | undefined;
  /** When the server is to end the stream. */
  readonly timeoutSeconds: number;
  /** Silence after which the stream counts as dead, ms. */
  readonly stallMs: number;
  /** The server accepted the watch. */
  readonly onOpen?: (() => void) | undefined;
}

export interface WriteOptions extends CallOptions {
  readonly dryRun?: boolean | undefined;
  readonly fieldManager?: string | undefined;
}

export interface PatchOptions extends WriteOptions {
  readonly subresource?: "status" | "scale" | undefined;
  /** Apply only: take fields over from other managers. */
  readonly force?: boolean | undefined;
  /**
   * May be sent again when its outcome is unknown. A JSON patch with `test` operations that no longer hold once it
   * was applied is NOT: the second try answers 422. Apply is by default, the others are not.
   */
  readonly idempotent?: boolean | undefined;
}

export interface DeleteOptions extends CallOptions {
  readonly dryRun?: boolean | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly propagation?: "Background" | "Foreground" | "Orphan" | undefined;
}

export interface PodGetOptions {
  readonly signal: AbortSignal;
  /** For the whole answer, ms. */
  readonly deadlineMs: number;
  /** How much of the body is read, bytes. */
  readonly maxBytes: number;
}

/** What canI asks about, as in resourceAttributes. */
export interface AccessAttributes {
  readonly namespace?: string;
  readonly verb: string;
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
}

export interface AccessAnswer {
  readonly allowed: boolean;
  /** Why, in the authorizer's words; may be empty. */
  readonly reason: string;
}

/**
 * Objects of a cluster as raw JSON, as one identity. Every failure is a KubeError. Nothing is cached, so a `get` is
 * always an uncached read.
 */
export interface KubeClient {
  /** The same connections, acting as a service account (needs the right to impersonate it). Throws BadName. */
  as(serviceAccount: ObjectKey): KubeClient;
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, options: GetOptions): Promise<T>;
  /** Metadata only: for objects whose content must not enter this process, such as Secrets. */
  getMetadata(type: ResourceType, key: ObjectKey, options: CallOptions): Promise<KubeObject>;
  /** Undefined when the object does not exist; still throws when the kind itself is not served. */
  tryGet<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    options: GetOptions,
  ): Promise<T | undefined>;
  /** Page by page. Throws isGone when the continue token expires half-way. */
  pages<T extends KubeObject>(type: ResourceType<T>, options: ListOptions): AsyncIterable<ListPage<T>>;
  /** All pages; starts again once when the continue token expires. */
  list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions): Promise<CollectedList<T>>;
  /** One watch request; see decodeWatch for how it ends. Use a reflector to follow a collection. */
  watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(
    type: ResourceType<T>,
    object: NewObject<T>,
    options: WriteOptions,
  ): Promise<T>;
  /** PUT with the object's resourceVersion: a compare-and-set, isConflict when it moved. */
  replace<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions): Promise<T>;
  /** PUT of the status subresource with the object's resourceVersion. */
  replaceStatus<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    patch: Patch,
    options: PatchOptions,
  ): Promise<T>;
  delete(type: ResourceType, key: ObjectKey, options: DeleteOptions): Promise<void>;
  /** Deletes a pod as far as its disruption budgets allow; isTooManyRequests while they do not. */
  evict(pod: ObjectKey, options: Omit<DeleteOptions, "propagation">): Promise<void>;
  /** Whether this identity (the impersonated one, after `as`) may do something, by SelfSubjectAccessReview. */
  canI(attributes: AccessAttributes, options: CallOptions): Promise<AccessAnswer>;
  /**
   * One plain GET to a port of a pod through the API server's `pods/proxy`, without credentials of ours: those end at
   * the API server. Redirects are not followed, nothing is tried again. The answer is whoever's came: the
   * application's, or the API server's own where it did not reach the pod. `path` is checked by checkProbePath.
   */
  getFromPod(pod: ObjectKey, port: number, path: string, options: PodGetOptions): Promise<RawAnswer>;
  /** Raw GET of a path, for proxies and version endpoints: JSON, or text when the answer is not JSON. */
  getPath(path: string, query: Readonly<Record<string, string>>, options: CallOptions): Promise<unknown>;
}
