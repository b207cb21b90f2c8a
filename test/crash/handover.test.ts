import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { isLastingWrite, labelOf } from "../support/crash-points.ts";
import { defectsOfOneRollback, isAtRest } from "../support/crash-facts.ts";
import {
  SHORT_LEASE,
  startCrashWorld,
  untilLeading,
  type CrashWorld,
  type ProxiedOperator,
} from "../support/crash-world.ts";
import type { ApiCall, Interceptor } from "../support/fault-proxy.ts";
import { isLeaderLease } from "../support/fault-proxy-lease.ts";
import { until } from "../support/world.ts";

/** Long enough that only a released lease explains a quick handover. */
const LONG_LEASE = "leaderElection: {leaseDuration: 30s, renewDeadline: 20s, retryPeriod: 250ms}\n";

/** Keeps one call, or its answer, until it is told to let it go. */
interface Gate {
  readonly interceptor: Interceptor;
  /** Resolves when the call has come, and for an answer: when the server has answered. */
  readonly closed: Promise<void>;
  open(): void;
  /** HTTP status of what was kept, once it went through. */
  readonly passed: Promise<number>;
}

function gate(keep: "call" | "answer", picks: (call: ApiCall) => boolean): Gate {
  const closed = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const passed = Promise.withResolvers<number>();
  let isUsed = false;
  const interceptor: Interceptor = async (call, forward) => {
    if (isUsed || !picks(call)) return forward();
    isUsed = true;
    const early = keep === "answer" ? await forward() : undefined;
    closed.resolve();
    await opened.promise;
    const answer = early ?? (await forward());
    passed.resolve(answer.status);
    return answer;
  };
  return { interceptor, closed: closed.promise, open: opened.resolve, passed: passed.promise };
}

const isPatchOfTarget = (call: ApiCall) => isLastingWrite(call) && labelOf(call) === "PATCH deployments";

describe("leadership changes hands", () => {
  let crashes: CrashWorld;
  let leader: ProxiedOperator;
  let standby: ProxiedOperator;

  beforeAll(async () => {
    crashes = await startCrashWorld();
    await crashes.world.tenant("shop");
  }, 120_000);

  afterEach(async () => {
    await Promise.all([leader.kill(), standby.kill()]);
    // The dead release nothing; the next pair need not wait until their lease expires.
    await crashes.world.kubectl(["delete", "lease", "-n", "rollback-system", "rollback-operator"]);
  });

  afterAll(() => crashes?.stop(), 60_000);

  async function startPair(config = SHORT_LEASE): Promise<void> {
    leader = await crashes.spawn({ config });
    await untilLeading(leader);
    standby = await crashes.spawn({ config });
  }

  const untilAtRest = (name: string) =>
    until(`${name} at rest`, () => crashes.world.request(`shop/${name}`), isAtRest, 40_000);

  const pause = () => process.kill(leader.process.pid, "SIGSTOP");
  const resume = () => process.kill(leader.process.pid, "SIGCONT");
  const defects = async (name: string) => defectsOfOneRollback(await crashes.facts("shop", name));

  /** All that the leader asked the server to change, with how it was answered. */
  function recordWrites(inner?: Interceptor): string[] {
    const writes: string[] = [];
    leader.proxy.intercept(async (call, forward) => {
      const send = async () => {
        const answer = await forward();
        if (isLastingWrite(call)) writes.push(`${labelOf(call)} -> ${answer.status}`);
        return answer;
      };
      return inner === undefined ? send() : inner(call, send);
    });
    return writes;
  }

  it("a leader that was stopped for longer than its lease wakes up, writes nothing and exits", async () => {
    await crashes.releaseTwice("shop", ["stopped"]);
    await startPair();
    pause();
    const writes = recordWrites();
    await crashes.createRequest("shop", "stopped", "stopped");
    await untilAtRest("stopped");

    resume();

    expect(await leader.process.ended).toBeGreaterThan(0);
    expect(writes).toEqual([]);
    expect(await defects("stopped")).toEqual([]);
    expect(await standby.isLeading()).toBe(true);
  }, 90_000);

  it("a leader that was stopped on its way to the act does not act any more", async () => {
    await crashes.releaseTwice("shop", ["on-the-way"]);
    await startPair();
    let isAnnounced = false;
    // The last thing it reads before it acts: with that answer in its socket, the act is all that is left.
    const lastRead = gate("answer", (call) => {
      isAnnounced ||= labelOf(call) === "PUT rollbackrequests/status";
      return isAnnounced && call.method === "GET" && call.path.endsWith("/replicasets");
    });
    const writes = recordWrites(lastRead.interceptor);
    await crashes.createRequest("shop", "on-the-way", "on-the-way");
    await lastRead.closed;
    pause();
    const before = writes.length;
    lastRead.open();
    await lastRead.passed;
    await untilAtRest("on-the-way");

    resume();

    expect(await leader.process.ended).toBeGreaterThan(0);
    expect(writes.slice(before).filter((write) => write.endsWith("-> 200"))).toEqual([]);
    expect(await defects("on-the-way")).toEqual([]);
  }, 90_000);

  it("an act that arrives after another leader did it is refused by the server", async () => {
    await crashes.releaseTwice("shop", ["late"]);
    await startPair();
    const act = gate("call", isPatchOfTarget);
    leader.proxy.intercept(act.interceptor);
    await crashes.createRequest("shop", "late", "late");
    await act.closed;
    pause();
    await untilAtRest("late");

    act.open();

    expect(await act.passed).toBe(422);
    resume();
    expect(await leader.process.ended).toBeGreaterThan(0);
    expect(await defects("late")).toEqual([]);
  }, 90_000);

  it("an act that arrives after the bad version was released again on purpose is refused too", async () => {
    await crashes.releaseTwice("shop", ["again"]);
    await startPair();
    const act = gate("call", isPatchOfTarget);
    leader.proxy.intercept(act.interceptor);
    await crashes.createRequest("shop", "again", "again");
    await act.closed;
    pause();
    await untilAtRest("again");
    await crashes.applyVersion("shop", ["again"], "v2");

    act.open();

    expect(await act.passed).toBe(422);
    resume();
    expect(await leader.process.ended).toBeGreaterThan(0);
    const facts = await crashes.facts("shop", "again");
    expect(facts.image).toBe("web:v2");
    expect(facts.patches).toHaveLength(1);
  }, 90_000);

  it("a leader that cannot renew its lease stops acting before another may start", async () => {
    await crashes.releaseTwice("shop", ["cut-off"]);
    await startPair();
    const reconnected = Promise.withResolvers<void>();
    const renewals: number[] = [];
    const writes = recordWrites(async (call, forward) => {
      if (!isLeaderLease(call)) return forward();
      await reconnected.promise;
      const answer = await forward();
      if (call.method === "PUT") renewals.push(answer.status);
      return answer;
    });

    expect(await leader.process.ended).toBeGreaterThan(0);
    expect(await standby.isLeading()).toBe(false);
    await crashes.createRequest("shop", "cut-off", "cut-off");
    await untilAtRest("cut-off");
    reconnected.resolve();

    await until(
      "late renewals",
      async () => renewals,
      ({ length }) => length > 0,
    );
    expect(renewals.filter((status) => status !== 409)).toEqual([]);
    expect(writes).toEqual([]);
    expect(await defects("cut-off")).toEqual([]);
    expect(await standby.isLeading()).toBe(true);
  }, 90_000);

  it("SIGTERM while the answer to the act is outstanding: exits 0, gives the lease back, the next goes on", async () => {
    await crashes.releaseTwice("shop", ["terminated"]);
    await startPair(LONG_LEASE);
    const act = gate("answer", isPatchOfTarget);
    leader.proxy.intercept(act.interceptor);
    await crashes.createRequest("shop", "terminated", "terminated");
    await act.closed;

    const began = performance.now();
    process.kill(leader.process.pid, "SIGTERM");

    expect(await leader.process.ended).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000);
    await untilLeading(standby, 10_000);
    await untilAtRest("terminated");
    expect(await defects("terminated")).toEqual([]);
  }, 90_000);

  it("SIGTERM while pods roll out: exits 0, gives the lease back, the next goes on", async () => {
    await crashes.releaseTwice("shop", ["rolling"]);
    await startPair(LONG_LEASE);
    await crashes.createRequest("shop", "rolling", "rolling");
    await until(
      "stored",
      () => crashes.world.request("shop/rolling"),
      ({ status }) => ["Applying", "Verifying"].includes(status?.phase ?? ""),
    );

    process.kill(leader.process.pid, "SIGTERM");

    expect(await leader.process.ended).toBe(0);
    await untilLeading(standby, 10_000);
    await untilAtRest("rolling");
    expect(await defects("rolling")).toEqual([]);
  }, 90_000);
});
