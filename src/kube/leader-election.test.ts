import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { KubeError } from "./errors.ts";
import { runElection, type ElectionEnd, type ElectionOptions } from "./leader-election.ts";
import { createFakeClock, settle, type FakeClock } from "./testing/fake-clock.ts";
import { createMemoryLease, type MemoryLease } from "./testing/memory-leases.ts";

const lost = () =>
  new KubeError({
    code: 0,
    reason: "ConnectionLost",
    verb: "replace",
    target: "leases n/l",
    path: "",
    detail: "lost",
    retryable: true,
    outcomeUnknown: true,
  });

interface Candidate {
  readonly end: Promise<ElectionEnd>;
  readonly stop: AbortController;
  readonly log: string[];
  leading: AbortSignal | undefined;
}

function start(
  clock: FakeClock,
  lease: MemoryLease,
  identity: string,
  more: Partial<ElectionOptions> = {},
): Candidate {
  const stop = new AbortController();
  const log: string[] = [];
  const candidate: { -readonly [K in keyof Candidate]: Candidate[K] } = {
    stop,
    log,
    leading: undefined,
    end: Promise.resolve("released"),
  };
  candidate.end = runElection({
    lease: lease.open(),
    identity,
    clock,
    random: () => 0,
    signal: stop.signal,
    onStartedLeading: (signal) => {
      log.push("started");
      candidate.leading = signal;
    },
    onStoppedLeading: () => log.push("stopped"),
    onNewLeader: (leader) => log.push(`leader ${leader}`),
    ...more,
  });
  return candidate;
}

const leads = (candidate: Candidate) => candidate.leading !== undefined && !candidate.leading.aborted;

describe("leader election", () => {
  it("lets one lead, renews, and writes micro times", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    const a = start(clock, lease, "a");
    await settle();
    const b = start(clock, lease, "b");
    await clock.advance(60_000);
    expect([leads(a), leads(b)]).toEqual([true, false]);
    expect(lease.current!.spec).toMatchObject({
      holderIdentity: "a",
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
    });
    expect(lease.current!.spec!.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(lease.current!.spec!.renewTime).not.toBe(lease.current!.spec!.acquireTime);
    expect(b.log).toEqual(["leader a"]);
  });

  it("hands over at once when the leader is stopped and its work has ended", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    const work = Promise.withResolvers<void>();
    const a = start(clock, lease, "a", { onStartedLeading: () => work.promise });
    await settle();
    const b = start(clock, lease, "b");
    await settle();
    a.stop.abort(new Error("stop"));
    await clock.advance(60_000);
    // Renewed all the while, since the work has not ended.
    expect([lease.current!.spec!.holderIdentity, leads(b)]).toEqual(["a", false]);
    work.resolve();
    await settle();
    expect(lease.current!.spec).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1 });
    expect(await a.end).toBe("released");
    await clock.advance(4_000);
    expect(leads(b)).toBe(true);
    expect(lease.current!.spec!.leaseTransitions).toBe(1);
  });

  it("takes a lease that is given back the moment it hears of it, and polls while it hears nothing", async () => {
    for (const hears of [true, false]) {
      const clock = createFakeClock();
      const lease = createMemoryLease();
      const listeners = new Set<() => void>();
      const a = start(clock, lease, "a");
      await settle();
      const b = start(clock, lease, "b", {
        onLeaseChange: (listener) => {
          listeners.add(listener);
          return () => void listeners.delete(listener);
        },
      });
      await clock.advance(60_500);
      a.stop.abort();
      await a.end;
      if (hears) for (const listener of listeners) listener();
      await settle();
      expect(leads(b)).toBe(hears);
      await clock.advance(2_000);
      expect(leads(b)).toBe(true);
      b.stop.abort();
      await b.end;
      expect(listeners.size).toBe(0);
    }
  });

  it("comes the moment the time of a dead holder is over, not at its next try", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    const spec = {
      holderIdentity: "dead",
      leaseDurationSeconds: 15,
      renewTime: "2026-01-01T00:00:00.000000Z",
    };
    await lease.open().create(spec, { signal: new AbortController().signal, deadlineMs: 1_000 });
    const b = start(clock, lease, "b", { retryPeriodMs: 4_000 });
    await clock.advance(14_999);
    expect(leads(b)).toBe(false);
    await clock.advance(2);
    expect(leads(b)).toBe(true);
    b.stop.abort();
    await b.end;
  });

  it("loses at the renew deadline although a call hangs, before another may begin", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    let cut = false;
    const hanging = lease.open((_verb, act) => (cut ? new Promise(() => {}) : Promise.resolve(act())));
    const a = start(clock, lease, "a", { lease: hanging });
    await settle();
    const b = start(clock, lease, "b");
    await clock.advance(4_000);
    cut = true;
    await clock.advance(9_999);
    expect([leads(a), leads(b)]).toEqual([true, false]);
    await clock.advance(1);
    expect([leads(a), leads(b)]).toEqual([false, false]);
    expect(await a.end).toBe("lost");
    expect(a.log).toEqual(["leader a", "started", "stopped"]);
    await clock.advance(9_000);
    expect(leads(b)).toBe(true);
  });

  it("counts from when a renewal was sent, not from when its answer came", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    let writes = 0;
    // The first renewal is taken at once and answered 7 s later; then nothing is answered any more.
    const slow = lease.open(async (_verb, act) => {
      writes += 1;
      if (writes > 3) await new Promise(() => {});
      const value = act();
      if (writes === 3) await clock.sleep(7_000, never().signal);
      return value;
    });
    const a = start(clock, lease, "a", { lease: slow });
    await clock.advance(11_999);
    expect([writes, leads(a)]).toEqual([4, true]);
    await clock.advance(1);
    expect(leads(a)).toBe(false);
  });

  it("does not begin on an answer that came too late", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    const slow = lease.open(async (verb, act) => {
      const value = act();
      if (verb === "create") await clock.sleep(10_000, never().signal);
      return value;
    });
    const a = start(clock, lease, "a", { lease: slow });
    await clock.advance(10_000);
    expect([leads(a), a.log]).toEqual([true, ["leader a", "started"]]);
    expect(lease.current!.metadata.resourceVersion).toBe("2");
  });

  it("measures from what it saw, never from times in the record", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    await lease
      .open()
      .create(
        { holderIdentity: "old", leaseDurationSeconds: 15, renewTime: "1999-01-01T00:00:00.000000Z" },
        never(),
      );
    const a = start(clock, lease, "a");
    await clock.advance(14_999);
    expect(leads(a)).toBe(false);
    await clock.advance(2_000);
    expect(leads(a)).toBe(true);
  });

  it("knows its own write again when the answer was lost", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    let failures = 2;
    const lossy = lease.open(async (verb, act) => {
      const value = act();
      if (verb !== "read" && failures-- > 0) throw lost();
      return value;
    });
    const a = start(clock, lease, "a", { lease: lossy });
    await clock.advance(10_000);
    expect(leads(a)).toBe(true);
    await clock.advance(60_000);
    expect(leads(a)).toBe(true);
  });

  it("steps down when the lease is deleted or taken", async () => {
    for (const harm of ["delete", "take"]) {
      const clock = createFakeClock();
      const lease = createMemoryLease();
      const a = start(clock, lease, "a");
      await settle();
      if (harm === "delete") lease.delete();
      else await lease.open().replace(lease.current!, { holderIdentity: "thief" }, never());
      await clock.advance(2_000);
      expect(await a.end).toBe("lost");
      expect(leads(a)).toBe(false);
    }
  });

  it("releases and rejects when the work fails", async () => {
    const clock = createFakeClock();
    const lease = createMemoryLease();
    const a = start(clock, lease, "a", { onStartedLeading: () => Promise.reject(new Error("no cache")) });
    await expect(a.end).rejects.toThrow("no cache");
    expect(clock.pending).toBe(0);
  });

  it("refuses times that do not fit", async () => {
    const a = start(createFakeClock(), createMemoryLease(), "a", { renewDeadlineMs: 20_000 });
    await expect(a.end).rejects.toThrow(/leaseDuration > renewDeadline/);
  });

  it("never has two leaders, whatever is delayed, refused or lost", async () => {
    const step = fc.record({
      delayMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 12_000 })),
      ackMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 12_000 })),
      fate: fc.constantFrom("ok", "ok", "ok", "refused", "lost answer"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.99, noNaN: true })),
        fc.array(fc.integer({ min: 1_000, max: 100_000 }), { maxLength: 3 }),
        async (steps, numbers, stops) => {
          const clock = createFakeClock();
          const lease = createMemoryLease();
          const signal = never().signal;
          let at = 0;
          // A call is applied after a delay even if its caller has given up by then, as a late packet would be.
          const store = lease.open(async (_verb, act) => {
            const { delayMs, ackMs, fate } = steps[at++ % steps.length]!;
            await clock.sleep(delayMs, signal);
            if (fate === "refused") throw lost();
            const value = act();
            await clock.sleep(ackMs, signal);
            if (fate === "lost answer") throw lost();
            return value;
          });
          const random = () => numbers.next().value;
          const candidates: Candidate[] = [];
          const join = (name: string) => candidates.push(start(clock, lease, name, { lease: store, random }));
          for (const name of ["a", "b", "c"]) join(name);
          const leaders = () => candidates.filter(leads).length;
          for (let time = 0; time < 120_000;) {
            const move = Math.max(1, Math.min(clock.nextInMs ?? 1_000, 1_000));
            await clock.advance(move);
            time += move;
            expect(leaders()).toBeLessThanOrEqual(1);
            const due = stops.filter((stop) => stop > time - move && stop <= time);
            for (const _ of due) {
              candidates.find(leads)?.stop.abort(new Error("stop"));
              join(`late${candidates.length}`);
            }
          }
          for (const each of candidates) each.stop.abort(new Error("stop"));
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});

function never() {
  return { signal: new AbortController().signal, deadlineMs: 1_000 };
}
