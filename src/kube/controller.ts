import { abortable, linkAbort, type LinkedAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { KubeError } from "./errors.ts";
import type { WorkQueue } from "./work-queue.ts";

/** What a reconcile wants next: nothing until the next change, or another look after a time. */
export type ReconcileResult =
  { readonly done: true } | { readonly afterMs: number; readonly priority?: number };

export interface ControllerOptions {
  readonly queue: WorkQueue;
  /** Keys worked on at the same time. */
  readonly workers: WorkerCount;
  /** Brings the world of one key nearer to what is wanted. Its signal aborts at the timeout and at shutdown. */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  /** For one reconcile, ms. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "setTimer">;
  /** A reconcile threw or timed out; the key comes back after its backoff. */
  readonly onError: (key: string, error: unknown, retries: number) => void;
  readonly signal: AbortSignal;
}

/** A number that may change while the controller runs. */
export interface WorkerCount {
  count(): number;
  /** Calls back when the count may have changed; returns how to stop. */
  onChange(listener: () => void): () => void;
}

export function fixedWorkers(count: number): WorkerCount {
  return { count: () => count, onChange: () => () => undefined };
}

/** A reconcile ran longer than it may. */
export class ReconcileTimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`the reconcile did not end within ${timeoutMs / 1_000} s`);
    this.name = "ReconcileTimeoutError";
  }
}

/** A reconcile that ignores its aborted signal is left behind after this time, and its worker goes on. */
const abandonAfterMs = 5_000;

/**
 * Runs workers until the signal aborts; resolves when they have ended. Nothing a reconcile does can stop it. A
 * reconcile that ignores its timeout keeps its key, so that no key is ever worked on twice at once.
 */
export async function runController(options: ControllerOptions): Promise<void> {
  const { workers, signal } = options;
  const running: { readonly link: LinkedAbort; readonly end: Promise<void> }[] = [];
  const dismissed: Promise<void>[] = [];
  const ended = Promise.withResolvers<void>();
  const onAbort = () => ended.resolve();
  const resize = () => {
    if (signal.aborted) return;
    while (running.length < workers.count()) {
      const link = linkAbort(signal);
      const end = runWorker(options, link.signal).finally(() => link.unlink());
      end.catch(ended.reject);
      running.push({ link, end });
    }
    for (const { link, end } of running.splice(workers.count())) {
      // It finishes what it is at, and takes no other key.
      link.abort(new Error("fewer workers are wanted"));
      dismissed.push(end);
    }
  };
  const stop = workers.onChange(resize);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    resize();
    if (!signal.aborted) await ended.promise;
    await Promise.all([...dismissed, ...running.map(({ end }) => end)]);
  } finally {
    stop();
    signal.removeEventListener("abort", onAbort);
  }
}

/** The same; then nothing wakes it any more, and its queue ends. `stops` are how to stop listening. */
export async function runControllerWith(
  stops: readonly (() => void)[],
  options: ControllerOptions,
): Promise<void> {
  try {
    await runController(options);
  } finally {
    for (const stop of stops) stop();
    await options.queue.shutDown();
  }
}

async function runWorker(options: ControllerOptions, employed: AbortSignal): Promise<void> {
  const { queue } = options;
  for (let taken = await queue.take(employed); taken !== undefined; taken = await queue.take(employed)) {
    await runOne(options, taken.key, taken.priority);
  }
}

/** Resolves when the key is finished with, or when it was left behind. */
async function runOne(options: ControllerOptions, key: string, priority: number): Promise<void> {
  const { clock, queue, reconcile, signal, timeoutMs } = options;
  const link = linkAbort(signal);
  const abandoned = new AbortController();
  const timeout = new ReconcileTimeoutError(timeoutMs);
  let abandonTimer = clock.setTimer(timeoutMs, () => {
    link.abort(timeout);
    abandonTimer = clock.setTimer(abandonAfterMs, () => abandoned.abort(timeout));
  });
  const stopWaiting = () => {
    abandonTimer.cancel();
    abandonTimer = clock.setTimer(abandonAfterMs, () => abandoned.abort(timeout));
  };
  if (signal.aborted) stopWaiting();
  else signal.addEventListener("abort", stopWaiting, { once: true });

  const work = (async () => {
    try {
      const outcome = await attempt(() => reconcile(key, link.signal));
      // Whatever an aborted call threw, the timeout is the reason worth reading.
      const timedOut = link.signal.reason === timeout && "failed" in outcome;
      settle(options, key, priority, timedOut ? { failed: timeout } : outcome);
    } finally {
      abandonTimer.cancel();
      link.unlink();
      signal.removeEventListener("abort", stopWaiting);
      queue.done(key);
    }
  })();
  await abortable(work, abandoned.signal).catch((error: unknown) => report(options, key, error));
}

type Outcome = ReconcileResult | { readonly failed: unknown };

/** A reconcile that throws before its first await is a failure like any other. */
async function attempt(work: () => Promise<ReconcileResult>): Promise<Outcome> {
  try {
    return await work();
  } catch (failed) {
    return { failed };
  }
}

function settle(options: ControllerOptions, key: string, priority: number, outcome: Outcome): void {
  const { queue, signal } = options;
  if ("failed" in outcome) {
    if (signal.aborted) return;
    // A server that says when to come back is not asked before.
    const atLeastMs = outcome.failed instanceof KubeError ? outcome.failed.retryAfterMs : undefined;
    queue.addRateLimited(key, { priority, atLeastMs });
    report(options, key, outcome.failed);
    return;
  }
  queue.forget(key);
  if ("afterMs" in outcome) queue.add(key, { afterMs: outcome.afterMs, priority: outcome.priority });
}

function report(options: ControllerOptions, key: string, error: unknown): void {
  try {
    options.onError(key, error, options.queue.retries(key));
  } catch {
    // A broken logger must not take the workers with it.
  }
}
