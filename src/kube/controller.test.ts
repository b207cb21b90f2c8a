import { describe, expect, it } from "@jest/globals";
import {
  fixedWorkers,
  runController,
  ReconcileTimeoutError,
  type WorkerCount,
  type ReconcileResult,
} from "./controller.ts";
import { createFakeClock, settle } from "./testing/fake-clock.ts";
import { createWorkQueue } from "./work-queue.ts";

function run(
  reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>,
  workers: number | WorkerCount = 2,
) {
  const clock = createFakeClock();
  const queue = createWorkQueue({ clock, random: () => 0, backoff: { baseMs: 100, maxMs: 1_000 } });
  const stop = new AbortController();
  const errors: unknown[] = [];
  const end = runController({
    queue,
    workers: typeof workers === "number" ? fixedWorkers(workers) : workers,
    reconcile,
    timeoutMs: 1_000,
    clock,
    signal: stop.signal,
    onError: (_key, error) => {
      errors.push(error);
      throw new Error("a broken logger");
    },
  });
  return { clock, queue, stop, end, errors };
}

describe("controller", () => {
  it("comes back as asked, backs off after failures, and outlives every kind of throw", async () => {
    const at: number[] = [];
    const ways: (() => Promise<ReconcileResult>)[] = [
      () => Promise.reject(new Error("async")),
      () => {
        throw new Error("before any await");
      },
      async () => ({ afterMs: 5_000 }),
      async () => ({ done: true }),
    ];
    const c = run(() => {
      at.push(c.clock.monotonic());
      return ways.shift()!();
    });
    c.queue.add("a");
    await c.clock.advance(60_000);
    expect(at).toEqual([0, 100, 300, 5_300]);
    expect(c.errors).toHaveLength(2);
    expect(c.queue.retries("a")).toBe(0);
    c.stop.abort();
    await c.end;
  });

  it("never works on one key twice at once", async () => {
    let now = 0;
    let most = 0;
    const c = run(async (_key, signal) => {
      now += 1;
      most = Math.max(most, now);
      await c.clock.sleep(10, signal);
      now -= 1;
      return { done: true };
    }, 4);
    for (let i = 0; i < 20; i += 1) {
      c.queue.add("a");
      await c.clock.advance(3);
    }
    await c.clock.advance(100);
    expect(most).toBe(1);
    c.stop.abort();
    await c.end;
  });

  it("aborts at the timeout and says so, whatever the work threw", async () => {
    const c = run((_key, signal) =>
      c.clock.sleep(1e6, signal).then(
        () => ({ done: true }),
        () => Promise.reject(new Error("cannot get pods: cancelled")),
      ),
    );
    c.queue.add("a");
    await c.clock.advance(1_000);
    expect(c.errors).toEqual([expect.any(ReconcileTimeoutError)]);
    c.stop.abort();
    await c.end;
  });

  it("leaves a reconcile behind that ignores its signal, and keeps its key", async () => {
    const stuck = Promise.withResolvers<ReconcileResult>();
    const seen: string[] = [];
    const c = run((key) => {
      seen.push(key);
      return key === "stuck" ? stuck.promise : Promise.resolve({ done: true });
    }, 1);
    c.queue.add("stuck");
    await settle();
    c.queue.add("stuck");
    c.queue.add("other");
    await c.clock.advance(6_000);
    expect(seen).toEqual(["stuck", "other"]);
    stuck.resolve({ done: true });
    await c.clock.advance(1);
    expect(seen).toEqual(["stuck", "other", "stuck"]);
    c.stop.abort();
    await c.clock.advance(5_000);
    await c.end;
  });

  it("works on as many keys at once as the count of now says", async () => {
    const listeners = new Set<() => void>();
    let count = 1;
    const workers = {
      count: () => count,
      onChange: (listener: () => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    const gates = new Map<string, PromiseWithResolvers<ReconcileResult>>();
    const c = run((key) => {
      const gate = Promise.withResolvers<ReconcileResult>();
      gates.set(key, gate);
      return gate.promise;
    }, workers);
    const resize = async (to: number) => {
      count = to;
      for (const listener of listeners) listener();
      await settle();
    };
    const end = async (key: string) => {
      gates.get(key)?.resolve({ done: true });
      await settle();
    };
    for (const key of ["a", "b", "c", "d", "e"]) c.queue.add(key);
    await settle();
    expect([...gates.keys()]).toEqual(["a"]);
    await resize(3);
    expect([...gates.keys()]).toEqual(["a", "b", "c"]);
    // Nobody is interrupted; the two that are too many take no other key.
    await resize(1);
    await end("b");
    await end("c");
    expect([...gates.keys()]).toEqual(["a", "b", "c"]);
    await end("a");
    expect([...gates.keys()]).toEqual(["a", "b", "c", "d"]);
    await end("d");
    await end("e");
    c.stop.abort();
    await c.end;
    expect(listeners.size).toBe(0);
  });

  it("stops: the work's signal aborts, nothing new begins, failures of the stop are no errors", async () => {
    const c = run((_key, signal) => c.clock.sleep(1e6, signal).then(() => ({ done: true })));
    c.queue.add("a");
    await settle();
    c.stop.abort(new Error("stop"));
    await c.end;
    expect(c.errors).toEqual([]);
    expect(c.clock.pending).toBe(0);
  });
});
