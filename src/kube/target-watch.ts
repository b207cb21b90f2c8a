import type { KubeClient } from "./client.ts";
import type { Clock, Random } from "./clock.ts";
import type { KubeObject, ResourceType } from "./objects.ts";
import { createReflector, type Reflector } from "./reflector.ts";
import { createStore, type Store, type StoreChange, type WritableStore } from "./store.ts";

/** One watch for each namespace, but so many are one watch of the whole cluster instead. */
const MOST_NAMESPACES = 100;
/** Silence after which a view that reports an error is too old to judge by, ms. */
const STALE_MS = 30_000;

export interface TargetWatchOptions<Wire extends KubeObject, Kept extends KubeObject> {
  readonly client: Pick<KubeClient, "pages" | "watch">;
  readonly type: ResourceType<Wire>;
  readonly clock: Clock;
  readonly random: Random;
  /** The operator may watch every namespace at once. */
  readonly wholeCluster: boolean;
  readonly labelSelector?: string;
  /** Lists and watches metadata only. */
  readonly metadataOnly?: boolean;
  /** Which target, as `namespace/name`, an object belongs to; what belongs to none of the followed is not kept. */
  readonly targetOf: (object: Wire) => string | undefined;
  readonly transform: (object: Wire) => Kept;
  readonly indexers: Readonly<Record<string, (object: Kept) => readonly string[]>>;
  readonly onChange?: (change: StoreChange<Kept>) => void;
}

/** Why a target is not known: nothing has come yet, an answer was an error, or nothing has come for too long. */
export type WhyUnknown = "NotListed" | "Failing" | "Stale";

export type TargetView<Kept extends KubeObject> =
  | { readonly kind: "Known"; readonly store: Store<Kept> }
  /** Nothing is known of the target yet, or not any more. */
  | {
      readonly kind: "Unknown";
      readonly reason: WhyUnknown;
      readonly message: string;
      /** Of the answer behind it, 0 without one. */
      readonly code: number;
    };

/** Follows the objects of a changing set of targets, and nothing where there are none. */
export class TargetWatch<Wire extends KubeObject, Kept extends KubeObject> {
  readonly #options: TargetWatchOptions<Wire, Kept>;
  readonly #scopes = new Map<string, Scope<Kept>>();
  readonly #running = new Set<Promise<void>>();
  #wanted: ReadonlySet<string> = new Set();
  #signal: AbortSignal | undefined;

  constructor(options: TargetWatchOptions<Wire, Kept>) {
    this.#options = options;
  }

  /** Begins to watch what it is told to follow; resolves when the signal has aborted and all watches have ended. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#adjust();
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    }
    for (const { stop } of this.#scopes.values()) stop.abort();
    await Promise.all(this.#running);
  }

  /** Targets as `namespace/name`. */
  follow(targets: ReadonlySet<string>): void {
    this.#wanted = targets;
    if (this.#signal !== undefined) this.#adjust();
  }

  view(target: string): TargetView<Kept> {
    const scope = this.#scopes.get(namespaceOf(target)) ?? this.#scopes.get("");
    const lastError = scope?.reflector.health().lastError;
    if (scope?.known().has(target) !== true) {
      return lastError === undefined
        ? { kind: "Unknown", reason: "NotListed", message: "the first list has not arrived yet", code: 0 }
        : { kind: "Unknown", reason: "Failing", message: lastError.message, code: lastError.code };
    }
    const lastContact = scope.reflector.health().lastContact ?? scope.startedAt;
    if (lastError !== undefined && this.#options.clock.now() - lastContact > STALE_MS) {
      return { kind: "Unknown", reason: "Stale", message: lastError.message, code: lastError.code };
    }
    return { kind: "Known", store: scope.store };
  }

  #adjust(): void {
    const wanted = this.#scopesOf(this.#wanted);
    for (const [namespace, scope] of this.#scopes) {
      if (wanted.has(namespace)) continue;
      scope.stop.abort();
      this.#scopes.delete(namespace);
    }
    for (const [namespace, targets] of wanted) {
      const before = this.#scopes.get(namespace);
      if (before !== undefined && isSame(before.wanted, targets)) continue;
      before?.stop.abort();
      this.#scopes.set(namespace, this.#start(namespace, targets, before));
    }
  }

  #scopesOf(targets: ReadonlySet<string>): ReadonlyMap<string, ReadonlySet<string>> {
    const byNamespace = Map.groupBy(targets, namespaceOf);
    if (this.#options.wholeCluster && byNamespace.size > MOST_NAMESPACES) return new Map([["", targets]]);
    return new Map([...byNamespace].map(([namespace, list]) => [namespace, new Set(list)]));
  }

  /** What is known of targets that are followed further stays known while the new list is on its way. */
  #start(namespace: string, wanted: ReadonlySet<string>, before: Scope<Kept> | undefined): Scope<Kept> {
    const { client, type, clock, random, labelSelector, metadataOnly } = this.#options;
    const store = before?.store ?? this.#createStore();
    const stop = new AbortController();
    let known: ReadonlySet<string> = new Set([...wanted].filter((each) => before?.known().has(each)));
    const reflector = createReflector<Wire>({
      client,
      type,
      clock,
      random,
      labelSelector,
      metadataOnly,
      namespaces: [namespace],
      store: this.#filtered(store, wanted),
      onList: () => (known = wanted),
    });
    const running = reflector.run(stop.signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return { reflector, store, stop, startedAt: clock.now(), wanted, known: () => known };
  }

  #createStore(): WritableStore<Kept> {
    const { transform, indexers, onChange } = this.#options;
    const store = createStore<Kept>({
      // The reflector hands over what came on the wire.
      transform: (object) => transform(object as unknown as Wire),
      indexers,
    });
    if (onChange !== undefined) store.onChange(onChange);
    return store;
  }

  #filtered(store: WritableStore<Kept>, targets: ReadonlySet<string>): WritableStore<Wire> {
    const isWanted = (object: Wire) => targets.has(this.#options.targetOf(object) ?? "");
    const inner = store as unknown as WritableStore<Wire>;
    return {
      ...inner,
      prepare: (object) => (isWanted(object) ? inner.prepare(object) : (LEFT_OUT as Wire)),
      upsert: (object) => {
        if (isWanted(object)) inner.upsert(object);
      },
      replace: (scope, objects) =>
        inner.replace(
          scope,
          objects.filter((object) => object !== LEFT_OUT),
        ),
    };
  }
}

interface Scope<Kept extends KubeObject> {
  readonly reflector: Reflector;
  readonly store: WritableStore<Kept>;
  readonly stop: AbortController;
  /** ms since the epoch. */
  readonly startedAt: number;
  readonly wanted: ReadonlySet<string>;
  /** Targets of which the store holds everything. */
  readonly known: () => ReadonlySet<string>;
}

/** Stands in a list for every object that is not kept. */
const LEFT_OUT: KubeObject = Object.freeze({
  apiVersion: "",
  kind: "",
  metadata: { name: "", uid: "", resourceVersion: "", creationTimestamp: "" },
});

function namespaceOf(target: string): string {
  return target.slice(0, target.indexOf("/"));
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((each) => b.has(each));
}
