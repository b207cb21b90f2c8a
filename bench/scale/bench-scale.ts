import { setTimeout as sleep } from "node:timers/promises";
import { goodFor } from "../../src/controllers/policy/readiness.ts";
import { ROLLBACK_POLICIES } from "../../src/kube/rollback-kinds.ts";
import { LEADER_LEASE } from "../../src/kube/rollback-kinds.ts";
import { leaseType } from "../../src/kube/well-known.ts";
import { heapAfterGc, INSPECTABLE } from "../../test/support/process-memory.ts";
import { startWorld } from "../../test/support/world.ts";
import { figure, progress, quantile } from "../figures.ts";
import { addPolicies, nameOf, namespaceOf, populate } from "../memory/population.ts";
import { awaitSilence, breach, steadyCost, untilAllSampled, type Scene, type SteadyCost } from "./look.ts";
import { startMockPrometheus } from "./mock-prometheus.ts";
import { operatorMetrics } from "./operator-metrics.ts";

/**
 * What many policies cost, and how fast they act: with one ratio signal each, on a real API server, against a Prometheus
 * of our own (`mock-prometheus.ts`). The operator runs as in a pod. Figures of other tools stand beside those that were
 * measured with them: 1,000 workloads, one query each, every 10 s. Every Deployment has its ReplicaSets, and the pods of
 * the live one; nobody plays the controllers, so a rollback ends with the patch here.
 */
export async function benchScale(scale: number, only: readonly string[]): Promise<readonly string[]> {
  const share = (count: number) => Math.max(1, Math.round(count * scale));
  const lines: string[] = [];
  for (const [name, stage] of Object.entries(STAGES)) {
    if (only.length === 0 || only.includes(name)) lines.push(...(await stage(share)));
  }
  return lines;
}

type Stage = (share: (count: number) => number) => Promise<readonly string[]>;

const STAGES: Readonly<Record<string, Stage>> = {
  "10": fewAtTenSeconds,
  "1000": thousandAtTenSeconds,
  "5000": memoryOfFiveThousand,
  "10000": tenThousandAtFifteenSeconds,
};

const MINUTE_MS = 60_000;

interface Size {
  readonly deployments: number;
  readonly replicaSets: number;
  readonly pods: number;
  readonly policies: number;
  readonly intervalMs: number;
}

/** Latency with few policies: groups of five breach together, each group at a phase of its own. */
async function fewAtTenSeconds(): Promise<readonly string[]> {
  const [policies, rounds, together] = [10, 3, 5];
  const size = { deployments: policies * rounds, replicaSets: 3, pods: 1, policies, intervalMs: 10_000 };
  return withScene(size, async (scene, addMore) => {
    const latencies: number[] = [];
    const decisions: number[] = [];
    const cpu: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const apps = Array.from({ length: policies }, (_, index) => round * policies + index);
      if (round > 0) await addMore(apps);
      await awaitSilence({ ...scene, apps }, MINUTE_MS);
      for (let start = 0; start < policies; start += together) {
        await sleep(Math.random() * scene.intervalMs);
        const times = await breach(scene, apps.slice(start, start + together), MINUTE_MS);
        latencies.push(...times.firstBadToPatch);
        decisions.push(...times.firstBadToDecision);
        cpu.push(times.cpuEach);
      }
    }
    const goal = { goal: 79, peers: "Argo Rollouts 79, Flagger 10149" };
    return [
      line("scale_10_first_bad_answer_to_patch_p50", quantile(latencies, 0.5), "ms", goal),
      line("scale_10_first_bad_answer_to_patch_p95", quantile(latencies, 0.95), "ms", {
        peers: "Argo Rollouts 122, Flagger 10349",
      }),
      line("scale_10_first_bad_answer_to_decision_p50", quantile(decisions, 0.5), "ms"),
      line("scale_10_cpu_of_a_rollback", quantile(cpu, 0.5), "ms"),
      line("scale_10_rolled_back", latencies.length, `of ${policies * rounds} breaches`),
    ];
  });
}

async function thousandAtTenSeconds(share: (count: number) => number): Promise<readonly string[]> {
  const policies = share(1_000);
  const size = { deployments: policies, replicaSets: 10, pods: 3, policies, intervalMs: 10_000 };
  return withScene(size, async (scene) => {
    const planned = await operatorMetrics(scene.operator.url);
    progress("scale: 1000: looking for 12 intervals");
    const cost = await steadyCost(scene, 12);
    const heap = await heapAfterGc(scene.operator);
    progress("scale: 1000: restart");
    await scene.operator.kill();
    await removeLease(scene);
    scene.mock.takeSampled();
    const began = Date.now();
    const operator = await scene.world.operator({ ...operatorOptions(scene.mock.url), awaitReady: false });
    const restarted = { ...scene, operator };
    const sampled = await untilAllSampled(restarted, began, 2 * MINUTE_MS);
    await awaitSilence(restarted, 5 * MINUTE_MS);
    progress("scale: 1000: 10 breach, then 100");
    const few = await breach(restarted, scene.apps.slice(0, Math.min(10, policies)), MINUTE_MS);
    await sleep(scene.intervalMs);
    const storm = await breach(restarted, scene.apps.slice(-share(100)), 2 * MINUTE_MS);
    return [
      ...costLines("scale_1000", cost, {
        queries: { goal: 0.5, peers: "Argo Rollouts 38-100, Flagger 10-111" },
        writes: { goal: 0, peers: "Argo Rollouts 38-117 a second, Flagger 10-102 a second" },
        apiCalls: { goal: 1, peers: "Argo Rollouts 38-117, Flagger 120-1290" },
        cpu: { goal: 2, peers: "Argo Rollouts 8.7-19, Flagger 6.3-31" },
        rss: { goal: 112, peers: "Argo Rollouts 181-241, Flagger 126-156" },
        longestGap: { peers: "Argo Rollouts 11-33.5, Flagger 17-101" },
      }),
      line("scale_1000_heap_after_gc", heap, "MiB"),
      line("scale_1000_api_calls_of_a_plan", planned.apiCalls / policies, "calls"),
      line(
        "scale_1000_api_calls_with_plans_asked_again",
        planned.apiCalls / (goodFor(policies) / 1_000),
        "/s",
        {
          goal: 1,
        },
      ),
      line("scale_1000_10_breach_first_bad_answer_to_patch_p50", quantile(few.firstBadToPatch, 0.5), "ms", {
        goal: 150,
        peers: "Argo Rollouts 693-1567, Flagger 17039-140134",
      }),
      line("scale_1000_10_breach_first_bad_answer_to_patch_p95", quantile(few.firstBadToPatch, 0.95), "ms"),
      line("scale_1000_storm_of_100_switch_to_last_patch", storm.switchToLastPatch / 1_000, "s", {
        goal: 12,
        peers: "Argo Rollouts 18-33, Flagger 239",
      }),
      line(
        "scale_1000_10_breach_first_bad_answer_to_decision_p50",
        quantile(few.firstBadToDecision, 0.5),
        "ms",
      ),
      line("scale_1000_storm_of_100_cpu_of_a_rollback", storm.cpuEach, "ms"),
      line("scale_1000_storm_of_100_last_bad_answer_to_last_decision", storm.lastDecision, "ms"),
      line("scale_1000_storm_of_100_last_bad_answer_to_last_patch", storm.lastPatch, "ms"),
      line("scale_1000_not_rolled_back", few.missing + storm.missing, "policies", { goal: 0 }),
      line("scale_1000_restart_to_all_sampled", sampled / 1_000, "s", {
        goal: 5,
        peers: "Argo Rollouts 39, Flagger 191",
      }),
    ];
  });
}

async function memoryOfFiveThousand(share: (count: number) => number): Promise<readonly string[]> {
  const policies = share(5_000);
  const size = { deployments: policies, replicaSets: 10, pods: 3, policies, intervalMs: 15_000 };
  return withScene(size, async (scene) => {
    const cost = await steadyCost(scene, 8);
    const heap = await heapAfterGc(scene.operator);
    return [
      ...costLines("scale_5000", cost, { writes: { goal: 0 }, rss: { goal: 192 } }),
      line("scale_5000_heap_after_gc", heap, "MiB"),
    ];
  });
}

async function tenThousandAtFifteenSeconds(share: (count: number) => number): Promise<readonly string[]> {
  const policies = share(10_000);
  const size = { deployments: policies, replicaSets: 2, pods: 1, policies, intervalMs: 15_000 };
  return withScene(size, async (scene) => {
    const cost = await steadyCost(scene, 8);
    const lines = costLines("scale_10000", cost, {
      queries: { goal: 3 },
      writes: { goal: 0 },
      cpu: { goal: 30 },
      period: { goal: 10 },
    });
    let next = 0;
    for (const count of [1, 10, share(1_000)]) {
      progress(`scale: 10000: ${count} breach at once`);
      const apps = scene.apps.slice(next, next + count);
      next += count;
      const times = await breach(scene, apps, 5 * MINUTE_MS);
      const name = `scale_10000_${count}_breach`;
      lines.push(
        line(`${name}_last_bad_answer_to_last_decision`, times.lastDecision, "ms"),
        line(`${name}_last_bad_answer_to_last_patch`, times.lastPatch, "ms"),
        line(`${name}_switch_to_last_decision`, times.switchToLastDecision / 1_000, "s"),
        line(`${name}_switch_to_last_patch`, times.switchToLastPatch / 1_000, "s"),
        line(`${name}_first_bad_answer_to_patch_p50`, quantile(times.firstBadToPatch, 0.5), "ms"),
        line(`${name}_not_rolled_back`, times.missing, "policies", { goal: 0 }),
      );
      await sleep(2 * scene.intervalMs);
    }
    return lines;
  });
}

/** Makes everything, waits until the operator is silent, and hands it over. `addMore` makes policies on further Deployments. */
async function withScene(
  size: Size,
  work: (scene: Scene, addMore: (apps: readonly number[]) => Promise<void>) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const { signal } = new AbortController();
  const policyOf = (name: string) => policySpec(name, size.intervalMs);
  const mock = await startMockPrometheus({ apps: size.deployments, nameOf, namespaceOf });
  const world = await startWorld({
    controllerManager: false,
    podSimulator: false,
    apiServerArgs: ["--disable-admission-plugins=ServiceAccount"],
  });
  try {
    const began = performance.now();
    const { deployments, replicaSets: replicaSetsPerDeployment, pods: podsPerReplicaSet, policies } = size;
    await populate(
      world,
      { deployments, replicaSetsPerDeployment, podsPerReplicaSet, policies, policyOf, settled: true },
      signal,
    );
    const text = `${policies} policies every ${size.intervalMs / 1_000} s, ${deployments} Deployments with ${replicaSetsPerDeployment} ReplicaSets and ${podsPerReplicaSet} pods each`;
    progress(`scale: made ${text} in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
    const operator = await world.operator({ ...operatorOptions(mock.url), awaitReady: false });
    const apps = Array.from({ length: policies }, (_, index) => index);
    const scene = {
      world,
      mock,
      operator,
      apps,
      nameOf,
      intervalMs: size.intervalMs,
      revisions: replicaSetsPerDeployment,
    };
    await awaitSilence(scene, 20 * MINUTE_MS);
    progress(`scale: all ${policies} policies are Ready`);
    const lines = await work(scene, async (more) => {
      const { items } = await world.client.list(ROLLBACK_POLICIES, { signal });
      for (const { metadata } of items) {
        await world.client.delete(
          ROLLBACK_POLICIES,
          { namespace: metadata.namespace ?? "", name: metadata.name },
          { signal },
        );
      }
      await addPolicies(world, more, signal, policyOf);
    });
    const [unanswered] = mock.refused;
    if (unanswered !== undefined)
      throw new Error(`${mock.refused.length} queries were not understood: ${unanswered}`);
    return [`# scale: ${text}`, ...lines];
  } finally {
    await world.stop();
    await mock.close();
  }
}

/** Limits off, as asked: otherwise five rollbacks in ten minutes are all. */
function operatorOptions(prometheusUrl: string) {
  const server = `{name: default, url: "${prometheusUrl}", scrapeInterval: 15s}`;
  return {
    config: `prometheus: {servers: [${server}]}\nlimits: {automaticRollbacksPer10Minutes: 10000, sharedBreachTargets: 0}\n`,
    env: INSPECTABLE,
    inCluster: true,
  };
}

/** Election was off for the other tools: nobody is to wait for the lease of a process that was killed. */
async function removeLease({ world }: Scene): Promise<void> {
  const { signal } = new AbortController();
  await world.client.delete(leaseType, { namespace: "rollback-system", name: LEADER_LEASE.name }, { signal });
}

function policySpec(name: string, intervalMs: number): object {
  return {
    target: { kind: "Deployment", name },
    serviceAccountName: "rollback-executor",
    interval: `${intervalMs / 1_000}s`,
    signals: [
      {
        name: "error-rate",
        prometheus: {
          ratio: { bad: 'http_requests_total{status=~"5.."}', total: "http_requests_total", window: "1m" },
          match: { app: name },
        },
      },
    ],
    matrix: [
      {
        name: "errors",
        when: { signal: "error-rate", above: "0.10", for: "0s" },
        severity: "SEV1",
        action: "Rollback",
      },
    ],
    guards: { settle: "0s" },
  };
}

interface Beside {
  readonly goal?: number;
  /** What was measured with other tools. */
  readonly peers?: string;
}

interface Goals {
  readonly queries?: Beside;
  readonly writes?: Beside;
  readonly apiCalls?: Beside;
  readonly cpu?: Beside;
  readonly rss?: Beside;
  readonly period?: Beside;
  readonly longestGap?: Beside;
}

function costLines(name: string, cost: SteadyCost, goals: Goals): string[] {
  return [
    line(`${name}_prometheus_queries`, cost.queriesPerSecond, "/s", goals.queries),
    line(`${name}_writes_besides_the_lease`, cost.writes, "writes", goals.writes),
    line(`${name}_api_calls_besides_the_lease`, cost.apiCallsPerSecond, "/s", goals.apiCalls),
    line(`${name}_cpu`, cost.cpuSecondsPerMinute, "s/min", goals.cpu),
    line(`${name}_rss_p50`, cost.rssP50, "MiB", goals.rss),
    line(`${name}_rss_max`, cost.rssMax, "MiB"),
    line(`${name}_period_furthest_from_interval`, cost.periodOffPercent, "%", goals.period ?? { goal: 10 }),
    line(`${name}_longest_gap_between_samples`, cost.longestGap, "s", goals.longestGap),
    line(`${name}_not_sampled`, cost.notSampled, "policies", { goal: 0 }),
  ];
}

function line(name: string, value: number, unit: string, { goal, peers }: Beside = {}): string {
  const text = figure(name, value, unit, goal);
  return peers === undefined ? text : `${text} [${peers}]`;
}
