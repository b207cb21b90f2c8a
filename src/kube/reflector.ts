import { createBackoff, type Backoff, type BackoffOptions } from "./backoff.ts";
import type { KubeClient } from "./client.ts";
import type { Clock, Random } from "./clock.ts";
import { errorMessage, isAborted, isErrorLike, isGone, isWatchStalled, KubeError } from "./errors.ts";
import type { KubeObject, ResourceType } from "./objects.ts";
import { compareResourceVersions } from "./resource-version.ts";
import type { WritableStore } from "./store.ts";

/** How the view of a collection stands. The operator's readiness and its staleness metric come from here. */
export interface ReflectorHealth {
  /** The first list has arrived, for every namespace. Never goes back. */
  readonly synced: boolean;
  /** Wall clock, ms, when the server last told something, for the namespace that waits longest. */
  readonly lastContact: number | undefined;
  /** What is wrong now; cleared by the next contact. */
  readonly lastError: { readonly message: string; readonly code: number; readonly at: number } | undefined;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Pick<KubeClient, "pages" | "watch">;
  readonly type: ResourceType<T>;
  readonly store: WritableStore<T>;
  /** Absent or empty: the whole cluster. */
  readonly namespaces?: readonly string[] | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Lists and watches metadata only; the store's transform makes T of it. */
  readonly metadataOnly?: boolean | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** 500 ms to 30 s by default. */
  readonly backoff?: BackoffOptions;
  /** Silence after which a watch is opened anew; 120 s by default, twice the pace of bookmarks. */
  readonly stallMs?: number;
  /** Age of a list after which the end of a watch is followed by a new one; 1 h by default. Heals what went unseen. */
  readonly relistMs?: number;
  readonly pageSize?: number;
  /** Each failed list or watch, each stall and each bad line. */
  readonly onError?: (error: KubeError | Error, namespace: string) => void;
  readonly onList?: (objects: number, namespace: string) => void;
}

export interface Reflector {
  /** Keeps the store like the cluster until the signal aborts; then resolves. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  health(): ReflectorHealth;
}

/** A watch that lived this long without an error was a good one, even if nothing happened. */
const healthyAfterMs = 10_000;
/** After so many failures in a row the version itself is suspect: list again. */
const relistAfterFailures = 4;

/**
 * Follows one kind: list, then watch from the list's version, for ever. The state of one namespace is its version:
 *   version undefined -> list -> version; a watch moves the version; 410 -> undefined.
 * The store is never emptied: a new list is compared with it.
 */
export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const namespaces =
    options.namespaces === undefined || options.namespaces.length === 0 ? [""] : options.namespaces;
  const scopes = [...new Set(namespaces)].map((namespace) => createScope(options, namespace, whenListed));

  function whenListed(): void {
    if (scopes.every((scope) => scope.synced)) options.store.markSynced();
  }

  return {
    async run(signal) {
      await Promise.all(scopes.map((scope) => followScope(options, scope, signal)));
    },
    health() {
      const contacts = scopes.map((scope) => scope.lastContact);
      const known = contacts.filter((contact) => contact !== undefined);
      return {
        synced: options.store.hasSynced(),
        lastContact: known.length < contacts.length ? undefined : Math.min(...known),
        lastError: scopes.find((scope) => scope.lastError !== undefined)?.lastError,
      };
    },
  };
}

interface Scope {
  readonly namespace: string;
  readonly backoff: Backoff;
  readonly whenListed: () => void;
  resourceVersion: string | undefined;
  /** Monotonic. */
  listedAt: number;
  failures: number;
  synced: boolean;
  lastContact: number | undefined;
  lastError: ReflectorHealth["lastError"];
}

function createScope<T extends KubeObject>(
  options: ReflectorOptions<T>,
  namespace: string,
  whenListed: () => void,
): Scope {
  return {
    namespace,
    backoff: createBackoff(options.backoff ?? { baseMs: 500, maxMs: 30_000 }, options.random),
    whenListed,
    resourceVersion: undefined,
    listedAt: 0,
    failures: 0,
    synced: false,
    lastContact: undefined,
    lastError: undefined,
  };
}

async function followScope<T extends KubeObject>(
  options: ReflectorOptions<T>,
  scope: Scope,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const pauseMs = await listAndWatch(options, scope, signal).catch((error: unknown) =>
      afterFailure(options, scope, error, signal),
    );
    if (pauseMs > 0) await options.clock.sleep(pauseMs, signal).catch(() => {});
  }
}

/** One round. Returns how long to pause, ms; throws what ended it early. */
async function listAndWatch<T extends KubeObject>(
  options: ReflectorOptions<T>,
  scope: Scope,
  signal: AbortSignal,
): Promise<number> {
  const { clock } = options;
  const relistMs = options.relistMs ?? 3_600_000;
  if (scope.resourceVersion === undefined || clock.monotonic() - scope.listedAt >= relistMs) {
    scope.resourceVersion = await listScope(options, scope, signal);
  }
  const opened = clock.monotonic();
  const events = await watchScope(options, scope, scope.resourceVersion, signal);
  // A server that closes each watch at once must not be asked again at once.
  if (events === 0 && clock.monotonic() - opened < healthyAfterMs) return scope.backoff.next();
  progress(scope);
  return 0;
}

async function listScope<T extends KubeObject>(
  options: ReflectorOptions<T>,
  scope: Scope,
  signal: AbortSignal,
): Promise<string> {
  const { client, store, type, labelSelector, fieldSelector, metadataOnly } = options;
  const { namespace } = scope;
  const objects: T[] = [];
  let resourceVersion = "";
  const selection = { namespace, labelSelector, fieldSelector, metadataOnly, limit: options.pageSize };
  for await (const page of client.pages(type, { ...selection, signal })) {
    for (const item of page.items) objects.push(store.prepare(item));
    resourceVersion = page.resourceVersion;
    contact(options, scope);
  }
  store.replace(namespace, objects);
  scope.listedAt = options.clock.monotonic();
  scope.synced = true;
  scope.whenListed();
  options.onList?.(objects.length, namespace);
  return resourceVersion;
}

/** Applies one watch to the store; returns the number of events, bookmarks included. */
async function watchScope<T extends KubeObject>(
  options: ReflectorOptions<T>,
  scope: Scope,
  resourceVersion: string,
  signal: AbortSignal,
): Promise<number> {
  const { client, store, type, labelSelector, fieldSelector, metadataOnly } = options;
  let events = 0;
  const stream = client.watch(type, {
    namespace: scope.namespace,
    labelSelector,
    fieldSelector,
    metadataOnly,
    resourceVersion,
    // Spread, so that the watches of many replicas and kinds do not all come back at the same moment.
    timeoutSeconds: Math.round(300 + 300 * options.random()),
    stallMs: options.stallMs ?? 120_000,
    onOpen: () => contact(options, scope),
    signal,
  });
  for await (const event of endAtStall(stream, (stall) => report(options, scope, stall))) {
    events += 1;
    contact(options, scope);
    const version = event.type === "BOOKMARK" ? event.resourceVersion : event.object.metadata.resourceVersion;
    // Versions of a stream only grow: anything else was delivered before.
    if (!isNewer(version, scope.resourceVersion)) continue;
    if (event.type === "DELETED") store.remove(event.object);
    else if (event.type !== "BOOKMARK") store.upsert(event.object);
    scope.resourceVersion = version;
    progress(scope);
  }
  return events;
}

/**
 * A quiet kind without bookmarks is as silent as a dead connection. So a stall is an ordinary end of a stream: if the
 * connection is dead, opening the next one says so.
 */
async function* endAtStall<E>(stream: AsyncIterable<E>, onStall: (error: Error) => void): AsyncGenerator<E> {
  try {
    yield* stream;
  } catch (error) {
    if (!isWatchStalled(error)) throw error;
    onStall(error as Error);
  }
}

/** Notes a failure; returns the pause before the next round, ms. */
function afterFailure<T extends KubeObject>(
  options: ReflectorOptions<T>,
  scope: Scope,
  error: unknown,
  signal: AbortSignal,
): number {
  if (signal.aborted) return 0;
  const failure = isErrorLike(error) ? error : new Error(String(error));
  scope.failures += 1;
  if (isGone(failure) || scope.failures % relistAfterFailures === 0) scope.resourceVersion = undefined;
  if (!isAborted(failure)) {
    const code = failure instanceof KubeError ? failure.code : 0;
    scope.lastError = { message: errorMessage(failure), code, at: options.clock.now() };
    report(options, scope, failure);
  }
  // A server that says when to come back is not asked before.
  const asked = failure instanceof KubeError ? (failure.retryAfterMs ?? 0) : 0;
  return Math.max(scope.backoff.next(), asked);
}

function report<T extends KubeObject>(options: ReflectorOptions<T>, scope: Scope, error: Error): void {
  try {
    options.onError?.(error, scope.namespace);
  } catch {
    // A broken hook must not end the view of the cluster.
  }
}

function contact<T extends KubeObject>(options: ReflectorOptions<T>, scope: Scope): void {
  scope.lastContact = options.clock.now();
  scope.lastError = undefined;
}

function progress(scope: Scope): void {
  scope.failures = 0;
  scope.backoff.reset();
}

function isNewer(version: string, than: string | undefined): boolean {
  if (than === undefined) return true;
  const order = compareResourceVersions(version, than);
  return order === undefined ? version !== than : order > 0;
}
