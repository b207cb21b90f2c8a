import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createFakeClock, settle } from "./testing/fake-clock.ts";
import { createWorkQueue, type WorkQueueHooks } from "./work-queue.ts";

const signal = new AbortController().signal;

function make(hooks: WorkQueueHooks = {}) {
  const clock = createFakeClock();
  const queue = createWorkQueue({ clock, random: () => 0, backoff: { baseMs: 5, maxMs: 1_000 }, hooks });
  const takeAll = async () => {
    const keys: string[] = [];
    while (queue.depth > 0) keys.push((await queue.take(signal))!.key);
    return keys;
  };
  return { clock, queue, takeAll };
}

describe("work queue", () => {
  it("gives higher priorities first, equals in order of arrival", async () => {
    const { queue, takeAll } = make();
    queue.add("resync", { priority: -100 });
    queue.add("a");
    queue.add("b");
    queue.add("breach", { priority: 100 });
    expect(await takeAll()).toEqual(["breach", "a", "b", "resync"]);
  });

  it("holds a key once, with the earlier time and the higher priority", async () => {
    const { clock, queue, takeAll } = make();
    queue.add("a", { afterMs: 1_000, priority: 100 });
    queue.add("a", { afterMs: 5_000 });
    queue.add("b", { afterMs: 500 });
    queue.add("b", { afterMs: 9_000, priority: -1 });
    await clock.advance(499);
    expect(queue.depth).toBe(0);
    queue.add("z");
    queue.add("z", { priority: 100 });
    await clock.advance(501);
    expect(queue.depth).toBe(3);
    expect(await takeAll()).toEqual(["z", "a", "b"]);
    await clock.advance(10_000);
    expect(queue.depth).toBe(0);
  });

  it("keeps an add that comes during the work until it is done", async () => {
    const { clock, queue } = make();
    queue.add("a");
    await queue.take(signal);
    queue.add("a", { afterMs: 100 });
    queue.add("a");
    expect(queue.depth).toBe(0);
    queue.done("a");
    expect(queue.depth).toBe(1);
    await queue.take(signal);
    queue.add("a", { afterMs: 100 });
    queue.done("a");
    expect(queue.depth).toBe(0);
    await clock.advance(100);
    expect(queue.depth).toBe(1);
  });

  it("backs a failing key off until it is forgotten", async () => {
    const { clock, queue } = make();
    const waits: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      queue.addRateLimited("a");
      waits.push(clock.nextInMs!);
      await clock.advance(clock.nextInMs!);
      await queue.take(signal);
      queue.done("a");
    }
    expect(waits).toEqual([5, 10, 20, 40]);
    expect(queue.retries("a")).toBe(4);
    queue.forget("a");
    queue.addRateLimited("a");
    expect(clock.nextInMs).toBe(5);
  });

  it("wakes a waiting taker, and hands the wake-up on when that one was aborted", async () => {
    const { queue } = make();
    const abort = new AbortController();
    const first = queue.take(abort.signal);
    const second = queue.take(signal);
    queue.add("a");
    abort.abort();
    const taken = await Promise.all(
      [first, second].map((each) => Promise.race([each, settle(5).then(() => "waits")])),
    );
    expect(taken.filter((each) => typeof each === "object")).toEqual([{ key: "a", priority: 0 }]);
  });

  it("shuts down: no adds, takers end, drained when all is done", async () => {
    const { clock, queue } = make();
    queue.add("a");
    queue.add("later", { afterMs: 10 });
    await queue.take(signal);
    const waiting = queue.take(signal);
    let drained = false;
    const end = queue.shutDown().then(() => (drained = true));
    queue.add("b");
    expect(await waiting).toBeUndefined();
    await clock.advance(100);
    expect([drained, queue.depth, clock.pending]).toEqual([false, 0, 0]);
    queue.done("a");
    await end;
    expect(await queue.take(signal)).toBeUndefined();
  });

  it("measures", async () => {
    const seen: string[] = [];
    const { clock, queue } = make({
      onDepth: (n) => seen.push(`depth ${n}`),
      onAdd: () => seen.push("add"),
      onTaken: (s) => seen.push(`waited ${s}`),
      onDone: (s) => seen.push(`worked ${s}`),
    });
    queue.add("a");
    await clock.advance(2_000);
    await queue.take(signal);
    await clock.advance(3_000);
    queue.done("a");
    expect(seen).toEqual(["add", "depth 1", "depth 0", "waited 2", "worked 3"]);
  });

  it("never gives a key to two, never loses one, and is never early (any sequence)", async () => {
    const key = fc.constantFrom("a", "b", "c", "d");
    const command = fc.oneof(
      fc.record({
        do: fc.constant("add" as const),
        key,
        afterMs: fc.integer({ min: 0, max: 50 }),
        priority: fc.integer({ min: -2, max: 2 }),
      }),
      fc.record({ do: fc.constant("fail" as const), key }),
      fc.record({ do: fc.constant("take" as const) }),
      fc.record({ do: fc.constant("done" as const) }),
      fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 0, max: 60 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
        const { clock, queue } = make();
        // The model: the earliest time each key is wanted at, and the keys at work.
        const wanted = new Map<string, number>();
        const working: string[] = [];
        const want = (key: string, at: number) => wanted.set(key, Math.min(wanted.get(key) ?? Infinity, at));
        for (const each of commands) {
          if (each.do === "add") {
            queue.add(each.key, { afterMs: each.afterMs, priority: each.priority });
            want(each.key, clock.monotonic() + each.afterMs);
          } else if (each.do === "fail") {
            const wait = Math.min(1_000, 5 * 2 ** queue.retries(each.key));
            queue.addRateLimited(each.key);
            want(each.key, clock.monotonic() + wait);
          } else if (each.do === "advance") {
            await clock.advance(each.ms);
          } else if (each.do === "done") {
            const key = working.shift();
            if (key !== undefined) queue.done(key);
          } else if (queue.depth > 0) {
            const { key } = (await queue.take(signal))!;
            expect(working).not.toContain(key);
            expect(wanted.get(key)).toBeLessThanOrEqual(clock.monotonic());
            wanted.delete(key);
            working.push(key);
          }
          const due = [...wanted].filter(([key, at]) => at <= clock.monotonic() && !working.includes(key));
          expect(queue.depth).toBe(due.length);
        }
      }),
      { numRuns: 300 },
    );
  });
});
