import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { objectKey } from "../../src/kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { readAudit } from "../../test/cluster/audit.ts";
import type { OperatorProcess } from "../../test/support/operator-process.ts";
import { cpuSeconds, residentMemory } from "../../test/support/process-memory.ts";
import { idleCalls, summaryOf } from "../../test/support/silence.ts";
import type { World } from "../../test/support/world.ts";
import { progress, quantile } from "../figures.ts";
import { rollOut } from "../memory/population.ts";
import type { MockPrometheus } from "./mock-prometheus.ts";
import { operatorMetrics } from "./operator-metrics.ts";

/** A world with as many policies as are measured, and what they are measured with. */
export interface Scene {
  readonly world: World;
  readonly mock: MockPrometheus;
  readonly operator: OperatorProcess;
  /** Indexes of the policies. */
  readonly apps: readonly number[];
  readonly nameOf: (app: number) => string;
  readonly intervalMs: number;
  /** ReplicaSets of each Deployment. */
  readonly revisions: number;
}

/** Nothing happens: what that costs. */
export interface SteadyCost {
  readonly queriesPerSecond: number;
  readonly writes: number;
  readonly apiCallsPerSecond: number;
  readonly cpuSecondsPerMinute: number;
  readonly rssP50: number;
  readonly rssMax: number;
  /** Of the policy whose mean period is furthest from the interval, in percent of it. */
  readonly periodOffPercent: number;
  /** The longest time between two samples of one policy, s. */
  readonly longestGap: number;
  readonly notSampled: number;
}

const LOOK_MS = 1_000;
const ENDING_MS = 300_000;

/** Waits until the operator has nothing left to do: all policies Ready, and no call to the API server for a while. */
export async function awaitSilence(
  { operator, apps }: Pick<Scene, "operator" | "apps">,
  limitMs: number,
): Promise<void> {
  const silentMs = 5_000;
  let calls = -1;
  let since = Date.now();
  let hasEnded = false;
  void operator.ended.then(() => (hasEnded = true));
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(LOOK_MS)) {
    // On a starved machine it gives up its lease, and ends.
    if (hasEnded) throw new Error(`the operator has ended; see ${operator.logPath}`);
    const now = await operatorMetrics(operator.url).catch(() => undefined);
    if (now === undefined) continue;
    if (now.apiCalls !== calls || now.ready !== apps.length) since = Date.now();
    calls = now.apiCalls;
    if (Date.now() - since >= silentMs) return;
  }
  const { ready, apiCalls } = await operatorMetrics(operator.url);
  throw new Error(
    `after ${limitMs / 1_000} s ${ready} of ${apps.length} policies are Ready, ${apiCalls} calls were made; see ${operator.logPath}`,
  );
}

/** Looks for whole intervals. */
export async function steadyCost(scene: Scene, intervals: number): Promise<SteadyCost> {
  const { world, mock, operator, apps, intervalMs } = scene;
  mock.takeSampled();
  const audited = (await stat(world.controlPlane.auditLogPath)).size;
  const before = {
    cpu: cpuSeconds(operator.pid),
    ...(await operatorMetrics(operator.url)),
    ...mock.queries(),
  };
  const began = performance.now();
  const resident: number[] = [];
  while (performance.now() - began < intervals * intervalMs) {
    await sleep(LOOK_MS);
    resident.push(residentMemory(operator.pid).now);
  }
  const seconds = (performance.now() - began) / 1_000;
  const after = {
    cpu: cpuSeconds(operator.pid),
    ...(await operatorMetrics(operator.url)),
    ...mock.queries(),
  };
  const { writes } = await idleCalls(world.controlPlane.auditLogPath, audited);
  for (const line of summaryOf(writes)) progress(`scale: write: ${line}`);
  const sampled = mock.takeSampled();
  const gaps = apps.map((app) => gapsOf(sampled.get(app) ?? []));
  const means = gaps.flatMap((list) =>
    list.length === 0 ? [] : [list.reduce((sum, gap) => sum + gap, 0) / list.length],
  );
  const off = means.map((mean) => (Math.abs(mean - intervalMs) / intervalMs) * 100);
  return {
    queriesPerSecond: (after.instant + after.range - before.instant - before.range) / seconds,
    writes: writes.length,
    apiCallsPerSecond: (after.apiCalls - before.apiCalls) / seconds,
    cpuSecondsPerMinute: ((after.cpu - before.cpu) / seconds) * 60,
    rssP50: quantile(resident, 0.5),
    rssMax: largest(resident),
    periodOffPercent: largest(off),
    longestGap: largest(gaps.flat()) / 1_000,
    notSampled: gaps.filter((list) => list.length === 0).length,
  };
}

/** From the first bad answer of each policy, and from the moment when their services began to fail. Milliseconds. */
export interface BreachTimes {
  readonly firstBadToPatch: readonly number[];
  /** Of the operator, for each rollback, until the last patch. */
  readonly cpuEach: number;
  readonly firstBadToDecision: readonly number[];
  /** From the last policy's first bad answer. */
  readonly lastDecision: number;
  readonly lastPatch: number;
  readonly switchToLastDecision: number;
  readonly switchToLastPatch: number;
  readonly missing: number;
}

/** Lets the services of these policies fail, and waits until their Deployments were patched. */
export async function breach(scene: Scene, apps: readonly number[], limitMs: number): Promise<BreachTimes> {
  const { world, mock, nameOf } = scene;
  const { auditLogPath } = world.controlPlane;
  const from = (await stat(auditLogPath)).size;
  const switchedAt = Date.now();
  mock.fail(apps, true);
  let patched = new Map<string, number>();
  let decided = new Map<string, number>();
  const cpu = cpuSeconds(scene.operator.pid);
  for (const end = Date.now() + limitMs; Date.now() < end;) {
    await sleep(LOOK_MS);
    const audit = await readAudit(auditLogPath, from);
    const patches = audit.writes({ resource: "deployments", subresource: "", verb: "patch" });
    patched = new Map(
      patches.map(({ objectRef, stageTimestamp }) => [objectRef?.name ?? "", Date.parse(stageTimestamp)]),
    );
    const made = audit.writes({ resource: "rollbackrequests", subresource: "", verb: "create" });
    decided = new Map(
      made.map(({ requestObject, stageTimestamp }) => [policyOf(requestObject), Date.parse(stageTimestamp)]),
    );
    if (apps.every((app) => patched.has(nameOf(app)))) break;
  }
  const known = apps.flatMap((app) => {
    const bad = mock.firstBadAnswer(app);
    const at = patched.get(nameOf(app));
    const decidedAt = decided.get(nameOf(app));
    return bad === undefined || at === undefined || decidedAt === undefined
      ? []
      : [{ app, bad, at, decidedAt }];
  });
  const cpuEach = ((cpuSeconds(scene.operator.pid) - cpu) * 1_000) / Math.max(1, known.length);
  const lastDecision = largest(known.map(({ decidedAt }) => decidedAt));
  const lastBad = largest(known.map(({ bad }) => bad));
  mock.fail(apps, false);
  await endRequests(
    scene,
    known.map(({ app }) => app),
  );
  return {
    firstBadToPatch: known.map(({ bad, at }) => at - bad),
    firstBadToDecision: known.map(({ bad, decidedAt }) => decidedAt - bad),
    cpuEach,
    lastDecision: lastDecision - lastBad,
    lastPatch: largest(known.map(({ at }) => at)) - lastBad,
    switchToLastDecision: lastDecision - switchedAt,
    switchToLastPatch: largest(known.map(({ at }) => at)) - switchedAt,
    missing: apps.length - known.length,
  };
}

/**
 * Ends what a breach has begun: rolls the patched Deployments out, and lets the requests go before they have proven
 * that it helped. A request that waits looks at its Deployment again and again.
 */
async function endRequests({ world, revisions }: Scene, apps: readonly number[]): Promise<void> {
  const { signal } = new AbortController();
  const list = () => world.client.list(ROLLBACK_REQUESTS, { signal });
  for (const app of apps) await rollOut(world.client, app, revisions, signal);
  for (const request of (await list()).items) {
    await world.client.delete(ROLLBACK_REQUESTS, objectKey(request), { signal });
  }
  for (const end = Date.now() + ENDING_MS; (await list()).items.length > 0; await sleep(LOOK_MS)) {
    if (Date.now() > end) throw new Error("requests of an earlier breach do not end");
  }
}

/** From now until each policy was sampled once, ms; Infinity when some were not within the limit. */
export async function untilAllSampled(
  { mock, apps }: Scene,
  began: number,
  limitMs: number,
): Promise<number> {
  const left = new Set(apps);
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(50)) {
    let last = 0;
    for (const [app, times] of mock.takeSampled()) {
      if (left.delete(app)) last = Math.max(last, times[0] ?? 0);
    }
    if (left.size === 0) return last - began;
  }
  progress(`scale: ${left.size} policies were not sampled`);
  return Number.POSITIVE_INFINITY;
}

function gapsOf(times: readonly number[]): readonly number[] {
  return times.slice(1).map((time, index) => time - (times[index] ?? time));
}

/** Also of a hundred thousand values, which are too many arguments. */
function largest(values: readonly number[]): number {
  return values.reduce((max, value) => Math.max(max, value), Number.NEGATIVE_INFINITY);
}

function policyOf(request: unknown): string {
  return (request as RollbackRequest | undefined)?.spec.policyRef?.name ?? "";
}
