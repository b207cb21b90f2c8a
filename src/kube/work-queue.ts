import { backoffDelay, type BackoffOptions } from "./backoff.ts";
import type { Clock, Random, Timer } from "./clock.ts";
import { createHeap } from "./heap.ts";

/** Priorities in use; any number does. Higher goes first. */
export const priorities = { urgent: 100, normal: 0, resync: -100 } as const;

export interface AddOptions {
  /** 0 by default. */
  readonly priority?: number | undefined;
  /** Not before so many ms from now; 0 by default. */
  readonly afterMs?: number | undefined;
}

/** For metrics; lengths in seconds. */
export interface WorkQueueHooks {
  readonly onDepth?: (ready: number) => void;
  readonly onAdd?: () => void;
  readonly onRetry?: () => void;
  /** From due to taken. */
  readonly onTaken?: (waitedSeconds: number) => void;
  /** From taken to done. */
  readonly onDone?: (workedSeconds: number) => void;
}

export interface WorkQueueOptions {
  readonly clock: Pick<Clock, "monotonic" | "setTimer">;
  readonly random: Random;
  /** Per key, for addRateLimited; 5 ms to 1000 s by default. */
  readonly backoff?: BackoffOptions;
  readonly hooks?: WorkQueueHooks;
}

/**
 * Keys that need a look. A key is in the queue at most once and with one worker at most: an add while it is being
 * worked on is kept until `done`. Two adds merge: the earlier time and the higher priority win.
 */
export interface WorkQueue {
  add(key: string, options?: AddOptions): void;
  /** Adds after the key's backoff, which grows with every call until `forget`, and not before `atLeastMs`. */
  addRateLimited(
    key: string,
    options?: { readonly priority?: number | undefined; readonly atLeastMs?: number | undefined },
  ): void;
  /** Ends the key's backoff. */
  forget(key: string): void;
  /** Failures in a row of a key. */
  retries(key: string): number;
  /** The next key, with its priority, when there is one; undefined once the queue is shut down or the signal aborts. */
  take(signal: AbortSignal): Promise<{ readonly key: string; readonly priority: number } | undefined>;
  /** Must follow every take. */
  done(key: string): void;
  /** No more adds; takers get undefined at once; resolves when every key that was taken is done. */
  shutDown(): Promise<void>;
  /** Keys that are due and not taken. */
  readonly depth: number;
}

/** Where a key is: waiting for its time, due, or being worked on with perhaps another add kept for later. */
interface Wanted {
  readonly key: string;
  readonly priority: number;
  /** Monotonic ms. */
  readonly at: number;
  /** Order of arrival among equals. */
  readonly sequence: number;
}

/** Higher priority first, then who is due longest, then who came first. */
function isBefore(a: Wanted, b: Wanted): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  return a.at === b.at ? a.sequence < b.sequence : a.at < b.at;
}

/** An empty queue. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, random, hooks = {} } = options;
  const backoff = options.backoff ?? { baseMs: 5, maxMs: 1_000_000 };
  // `wanted` is the truth; heap entries that are not in it any more are skipped when they come up.
  const wanted = new Map<string, Wanted>();
  const isDue = new WeakSet<Wanted>();
  const due = createHeap<Wanted>(isBefore);
  const later = createHeap<Wanted>((a, b) => a.at < b.at);
  const processing = new Map<string, { readonly since: number; next: Wanted | undefined }>();
  const failures = new Map<string, number>();
  const takers: (() => void)[] = [];
  let timer: { readonly at: number; readonly handle: Timer } | undefined;
  let sequence = 0;
  let dueCount = 0;
  let closed: { readonly whenIdle: Promise<void>; readonly idle: () => void } | undefined;

  function merge(old: Wanted | undefined, fresh: Wanted): Wanted {
    if (old === undefined) return fresh;
    const priority = Math.max(old.priority, fresh.priority);
    const at = Math.min(old.at, fresh.at);
    return priority === old.priority && at === old.at ? old : { ...fresh, priority, at };
  }

  function place(item: Wanted, old: Wanted | undefined): void {
    const now = clock.monotonic();
    wanted.set(item.key, item);
    if (item.at > now) {
      later.push(item);
      // Keys that are often put forward leave dead entries with times far away.
      if (later.size > 1_000 + 4 * wanted.size) later.retain((entry) => wanted.get(entry.key) === entry);
      armTimer();
      return;
    }
    due.push(item);
    if (old === undefined || !isDue.has(old)) dueCount += 1;
    isDue.add(item);
    hooks.onDepth?.(dueCount);
    takers.shift()?.();
  }

  function armTimer(): void {
    const first = firstCurrent(later);
    if (first === undefined || (timer !== undefined && timer.at <= first.at)) return;
    timer?.handle.cancel();
    const handle = clock.setTimer(first.at - clock.monotonic(), () => {
      timer = undefined;
      promote();
      armTimer();
    });
    timer = { at: first.at, handle };
  }

  function promote(): void {
    for (let item = firstCurrent(later); item !== undefined; item = firstCurrent(later)) {
      if (item.at > clock.monotonic()) return;
      later.pop();
      place(item, item);
    }
  }

  /** The first entry that was not replaced since; drops the others. */
  function firstCurrent(heap: { peek(): Wanted | undefined; pop(): Wanted | undefined }): Wanted | undefined {
    for (let item = heap.peek(); item !== undefined; item = heap.peek()) {
      if (wanted.get(item.key) === item) return item;
      heap.pop();
    }
    return undefined;
  }

  function add(key: string, { priority = 0, afterMs = 0 }: AddOptions = {}): void {
    if (closed !== undefined) return;
    hooks.onAdd?.();
    sequence += 1;
    const fresh = { key, priority, at: clock.monotonic() + Math.max(0, afterMs), sequence };
    const busy = processing.get(key);
    if (busy !== undefined) {
      busy.next = merge(busy.next, fresh);
      return;
    }
    const old = wanted.get(key);
    const merged = merge(old, fresh);
    if (merged !== old) place(merged, old);
  }

  function takeNow(): { readonly key: string; readonly priority: number } | undefined {
    const item = firstCurrent(due);
    if (item === undefined) return undefined;
    due.pop();
    wanted.delete(item.key);
    dueCount -= 1;
    const now = clock.monotonic();
    processing.set(item.key, { since: now, next: undefined });
    hooks.onDepth?.(dueCount);
    hooks.onTaken?.((now - item.at) / 1_000);
    return { key: item.key, priority: item.priority };
  }

  async function take(signal: AbortSignal) {
    for (;;) {
      if (closed !== undefined) return undefined;
      if (signal.aborted) {
        // The wake-up may have been for a key: hand it on.
        if (dueCount > 0) takers.shift()?.();
        return undefined;
      }
      const taken = takeNow();
      if (taken !== undefined) return taken;
      await wakeUp(signal);
    }
  }

  function wakeUp(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = () => {
        const place = takers.indexOf(wake);
        if (place >= 0) takers.splice(place, 1);
        resolve();
      };
      takers.push(wake);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  function done(key: string): void {
    const busy = processing.get(key);
    if (busy === undefined) return;
    processing.delete(key);
    hooks.onDone?.((clock.monotonic() - busy.since) / 1_000);
    if (closed !== undefined) {
      if (processing.size === 0) closed.idle();
    } else if (busy.next !== undefined) {
      place(busy.next, undefined);
    }
  }

  function shutDown(): Promise<void> {
    if (closed === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      closed = { whenIdle: promise, idle: resolve };
      timer?.handle.cancel();
      for (const wake of takers.splice(0)) wake();
      if (processing.size === 0) resolve();
    }
    return closed.whenIdle;
  }

  return {
    add,
    addRateLimited(key, { priority, atLeastMs = 0 } = {}) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      hooks.onRetry?.();
      add(key, { priority, afterMs: Math.max(atLeastMs, backoffDelay(count, backoff, random)) });
    },
    forget: (key) => void failures.delete(key),
    retries: (key) => failures.get(key) ?? 0,
    take,
    done,
    shutDown,
    get depth() {
      return dueCount;
    },
  };
}
