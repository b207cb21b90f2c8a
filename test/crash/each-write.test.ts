import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import { crashPoint, isAbout, pointRecorder, type CrashMode } from "../support/crash-points.ts";
import { defectsOfOneRollback, isAtRest } from "../support/crash-facts.ts";
import {
  LONGER_SOAK,
  startCrashWorld,
  untilLeading,
  type CrashWorld,
  type ProxiedOperator,
} from "../support/crash-world.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { until } from "../support/world.ts";

const NAMESPACE = "shop";

/**
 * SOAK=1 runs every point in every mode. Otherwise "after" and "before" share the points, to stay within minutes:
 * both leave the stored world as "answer-lost", which hits them all, leaves it at that point or at the one before.
 */
const EVERYTHING = process.env["SOAK"] === "1";

function isChosen(mode: CrashMode, index: number): boolean {
  if (EVERYTHING) return true;
  if (mode === "before") return index % 2 === 0;
  return mode === "after" ? index % 2 === 1 : true;
}

/** Writes that every run makes; how many status writes there are depends on how fast pods and checks are. */
const ALWAYS = [
  "POST leases #1",
  "PATCH rollbackrequests #1",
  "POST rollbackledgers #1",
  "PUT rollbackrequests/status #1",
  "PATCH deployments #1",
  "PUT rollbackledgers #1",
  "PUT rollbackledgers #2",
  "DELETE leases #1",
  "PATCH rollbackrequests #2",
];

/** Where one run is disturbed, and the Deployment that it has for itself. */
interface Target {
  readonly point: string;
  readonly deployment: string;
}

interface RunResult {
  readonly point: string;
  readonly hit: string | undefined;
  readonly line: string;
  readonly defects: readonly string[];
}

const signal = new AbortController().signal;

describe("the operator dies at each of its writes", () => {
  let crashes: CrashWorld;
  let leader: ProxiedOperator;
  /** Starts while the leader already works. */
  let standby: Promise<ProxiedOperator>;
  let points: readonly string[] = [];
  /** The Deployments of each mode, released twice in the background while other modes run. */
  let prepared: ReadonlyMap<CrashMode, Promise<readonly Target[]>> = new Map();

  beforeAll(async () => {
    crashes = await startCrashWorld();
    await crashes.world.tenant(NAMESPACE);
    leader = await crashes.spawn();
    await untilLeading(leader);
    standby = crashes.spawn();
    await standby;
  }, 120_000);

  afterAll(async () => {
    await Promise.allSettled([standby, ...prepared.values()]);
    await crashes?.stop();
  }, 60_000);

  it("writes what a rollback needs, undisturbed", async () => {
    await crashes.releaseTwice(NAMESPACE, ["undisturbed"]);
    const recorder = pointRecorder();
    leader.proxy.intercept(recorder.interceptor);
    await crashes.createRequest(NAMESPACE, "undisturbed", "undisturbed");
    await until("at rest", () => crashes.world.request(`${NAMESPACE}/undisturbed`), isAtRest);
    leader.proxy.intercept(undefined);
    points = recorder.points;

    expect(points).toEqual(expect.arrayContaining(ALWAYS));
    expect(defectsOfOneRollback(await crashes.facts(NAMESPACE, "undisturbed"))).toEqual([]);
    prepared = prepareAll();
  }, 60_000);

  const modes: readonly CrashMode[] = ["answer-lost", "after", "before"];

  it.each(modes)(
    "%s: same end, nothing done twice",
    async (mode) => {
      const results: RunResult[] = [];
      for (const target of (await prepared.get(mode)) ?? []) results.push(await run(mode, target));
      check(mode, results);
    },
    300_000,
  );

  it("answer lost, nobody dies: same end, nothing done twice", async () => {
    const mode = "answer-lost-alive";
    const targets = (await prepared.get(mode)) ?? [];
    const runs = targets.map((target) => ({
      ...target,
      crash: crashPoint({ mode, point: target.point, strike: async () => undefined }),
    }));
    // Nobody dies, so they can all run at once; each point counts the writes about its own target only.
    leader.proxy.intercept((call, forward) => {
      const own = runs.find(({ deployment }) => isAbout(call, NAMESPACE, deployment));
      return own === undefined ? forward() : own.crash.interceptor(call, forward);
    });
    const began = performance.now();
    await Promise.all(
      runs.map(({ deployment }) =>
        crashes.createRequest(NAMESPACE, deployment, deployment, { soak: LONGER_SOAK }),
      ),
    );
    await until(
      "all at rest",
      async () =>
        (await crashes.world.client.list(ROLLBACK_REQUESTS, { namespace: NAMESPACE, signal })).items,
      (items) => items.every(isAtRest),
      60_000,
    );
    const results = await Promise.all(
      runs.map(({ crash, ...target }) => resultOf(mode, target, crash.hit(), began)),
    );
    leader.proxy.intercept(undefined);
    check(mode, results);
  }, 90_000);

  it("every status that was ever written reads well", async () => {
    expect(statusComplaints(await storedVersions(crashes.world.controlPlane.auditLogPath))).toEqual([]);
  });

  function check(mode: CrashMode, results: readonly RunResult[]): void {
    console.log([mode, ...results.map(({ line }) => line)].join("\n  "));
    expect(results.length).toBeGreaterThan(0);
    expect(results.flatMap(({ defects }) => defects)).toEqual([]);
    const missed = results.filter(({ hit }) => hit === undefined).map(({ point }) => point);
    expect(missed.filter((point) => !point.startsWith("PUT rollbackrequests/status"))).toEqual([]);
  }

  function prepareAll(): ReadonlyMap<CrashMode, Promise<readonly Target[]>> {
    let before: Promise<unknown> = Promise.resolve();
    return new Map(
      ([...modes, "answer-lost-alive"] as const).map((mode) => {
        const preparing = before.then(() => prepare(mode));
        before = preparing;
        preparing.catch(() => undefined);
        return [mode, preparing];
      }),
    );
  }

  async function prepare(mode: CrashMode): Promise<readonly Target[]> {
    const chosen = points.filter((_, index) => isChosen(mode, index));
    // Two digits, so that no name is the beginning of another one.
    const targets = chosen.map((point, index) => ({ point, deployment: `${mode}-${index + 10}` }));
    await crashes.releaseTwice(
      NAMESPACE,
      targets.map(({ deployment }) => deployment),
    );
    return targets;
  }

  /** One fresh request on one fresh Deployment, disturbed at one point. */
  async function run(mode: CrashMode, target: Target): Promise<RunResult> {
    const { point, deployment } = target;
    const began = performance.now();
    const dying = leader;
    const struck = Promise.withResolvers<void>();
    const crash = crashPoint({
      mode,
      point,
      async strike() {
        await dying.kill();
        struck.resolve();
      },
    });
    dying.proxy.intercept(crash.interceptor);
    const replaced = struck.promise.then(replaceLeader);
    replaced.catch(() => undefined);
    await crashes.createRequest(NAMESPACE, deployment, deployment);
    await until(
      `${deployment} at rest`,
      () => crashes.world.request(`${NAMESPACE}/${deployment}`),
      isAtRest,
      40_000,
    );
    const hit = crash.hit();
    // A strike at the last write leaves a request at rest and a dead leader all the same.
    if (hit !== undefined) await replaced;
    dying.proxy.intercept(undefined);
    return resultOf(mode, target, hit, began);
  }

  async function resultOf(
    mode: CrashMode,
    { point, deployment }: Target,
    hit: string | undefined,
    began: number,
  ): Promise<RunResult> {
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const defects = defectsOfOneRollback(await crashes.facts(NAMESPACE, deployment));
    return {
      point,
      hit,
      line: `${hit ?? `${point} not reached`} (${seconds} s)`,
      defects: defects.map((defect) => `${mode} ${hit}: ${defect}`),
    };
  }

  async function replaceLeader(): Promise<void> {
    leader = await standby;
    await untilLeading(leader);
    standby = crashes.spawn();
    // A failure to start shows when it is needed.
    standby.catch(() => undefined);
  }
});
