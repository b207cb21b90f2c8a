import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { ROLLBACK_POLICIES } from "../../src/kube/rollback-kinds.ts";
import { startExporter } from "../../test/support/exporter.ts";
import type { OperatorProcess } from "../../test/support/operator-process.ts";
import { cpuSeconds, heapAfterGc, INSPECTABLE, residentMemory } from "../../test/support/process-memory.ts";
import { startPrometheus } from "../../test/support/prometheus.ts";
import { idleCalls, summaryOf } from "../../test/support/silence.ts";
import { startWorld, until, type World } from "../../test/support/world.ts";
import { figure, progress, quantile } from "../figures.ts";
import { populate, type Population } from "./population.ts";

const IDLE: Population = {
  deployments: 100,
  replicaSetsPerDeployment: 3,
  podsPerReplicaSet: 1,
  policies: 100,
};
const FULL: Population = {
  deployments: 5_000,
  replicaSetsPerDeployment: 10,
  podsPerReplicaSet: 3,
  policies: 1_000,
};
const LOOK_MS = 1_000;

/**
 * Memory, start and silence of the operator: with 100 policies in a small cluster, then with 1,000 in a big one. It runs
 * as in a pod (its ServiceAccount's files, not a kubeconfig) and evaluates every policy against a real Prometheus.
 * `scale` is a share of the big cluster.
 */
export async function benchMemory(scale: number): Promise<readonly string[]> {
  const share = (count: number) => Math.max(1, Math.round(count * scale));
  const full = { ...FULL, deployments: share(FULL.deployments), policies: share(FULL.policies) };
  return [
    ...(await measure("idle", IDLE, { rss: 96, ready: 1_000 })),
    ...(await measure("big", full, { rss: 192, ready: undefined })),
  ];
}

async function measure(
  name: string,
  size: Population,
  goals: { readonly rss: number; readonly ready: number | undefined },
): Promise<readonly string[]> {
  const world = await startWorld({
    controllerManager: false,
    podSimulator: false,
    // Nobody makes the account that each pod would need.
    apiServerArgs: ["--disable-admission-plugins=ServiceAccount"],
  });
  const exporter = await startExporter();
  const dir = await mkdtemp(join(tmpdir(), "rollback-bench-"));
  try {
    const began = performance.now();
    const namespaces = await populate(world, size, new AbortController().signal);
    const sets = size.deployments * size.replicaSetsPerDeployment;
    const text = `${size.deployments} Deployments, ${sets} ReplicaSets, ${sets * size.podsPerReplicaSet} Pods, ${size.policies} policies`;
    progress(`memory: made ${text} in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
    for (const namespace of namespaces) exporter.service(namespace).traffic(100, 0);
    const prometheus = await startPrometheus({
      dir,
      listen: "127.0.0.1:0",
      configText: scrapeConfig(exporter.address, namespaces),
    });
    try {
      return [`# ${name}: ${text}`, ...(await look(world, prometheus.url, name, size.policies, goals))];
    } finally {
      await prometheus.stop();
    }
  } finally {
    await world.stop();
    await exporter.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function look(
  world: World,
  prometheusUrl: string,
  name: string,
  policies: number,
  goals: { readonly rss: number; readonly ready: number | undefined },
): Promise<readonly string[]> {
  const config = `prometheus: {servers: [{name: default, url: "${prometheusUrl}", scrapeInterval: 5s}]}\n`;
  const began = performance.now();
  const operator = await world.operator({ config, env: INSPECTABLE, inCluster: true });
  const readyMs = performance.now() - began;
  await allReady(world, policies);
  const policiesReadyMs = performance.now() - began;
  progress(`memory: ${name}: all ${policies} policies are Ready, looking for a minute`);
  // Two intervals of every policy: what the start has left to write is written.
  await sleep(30_000);
  const audited = (await stat(world.controlPlane.auditLogPath)).size;
  const cpuBefore = cpuSeconds(operator.pid);
  const residents = await watchResident(operator, 60_000);
  const cpu = cpuSeconds(operator.pid) - cpuBefore;
  const { writes, accessReviews } = await idleCalls(world.controlPlane.auditLogPath, audited);
  for (const line of summaryOf(writes)) progress(`memory: ${name}: ${line}`);
  const { peak } = residentMemory(operator.pid);
  return [
    figure(`memory_${name}_rss_p50`, quantile(residents, 0.5), "MiB", goals.rss),
    figure(`memory_${name}_rss_max`, Math.max(...residents), "MiB"),
    figure(`memory_${name}_rss_peak_since_start`, peak, "MiB"),
    figure(`memory_${name}_heap_after_gc`, await heapAfterGc(operator), "MiB"),
    figure(`memory_${name}_start_to_ready`, readyMs, "ms", goals.ready),
    figure(`memory_${name}_start_to_all_policies_ready`, policiesReadyMs, "ms"),
    figure(`memory_${name}_failed_passes`, await failedPasses(operator), "passes", 0),
    figure(`memory_${name}_cpu_in_60s`, cpu, "s"),
    figure(`memory_${name}_writes_besides_the_lease_in_60s`, writes.length, "writes", 0),
    figure(`memory_${name}_access_reviews_in_60s`, accessReviews.length, "questions"),
  ];
}

async function allReady({ client }: World, count: number): Promise<void> {
  const { signal } = new AbortController();
  await until(
    `${count} policies Ready`,
    async () => {
      const { items } = await client.list(ROLLBACK_POLICIES, { signal });
      const conditions = items.flatMap(({ status }) => status?.conditions ?? []);
      return conditions.filter(({ type, status }) => type === "Ready" && status === "True").length;
    },
    (ready) => ready === count,
    300_000,
  );
}

/** Reconciles that threw or ran into their timeout since the start. */
async function failedPasses({ logPath }: OperatorProcess): Promise<number> {
  return (await readFile(logPath, "utf8")).split("reconcile failed").length - 1;
}

async function watchResident(operator: OperatorProcess, forMs: number): Promise<readonly number[]> {
  const seen: number[] = [];
  for (const end = performance.now() + forMs; performance.now() < end; await sleep(LOOK_MS)) {
    seen.push(residentMemory(operator.pid).now);
  }
  return seen;
}

function scrapeConfig(address: string, namespaces: readonly string[]): string {
  return JSON.stringify({
    global: { scrape_interval: "5s", scrape_timeout: "5s" },
    scrape_configs: [
      {
        job_name: "bench",
        static_configs: namespaces.map((namespace) => ({
          targets: [address],
          labels: { namespace, app: "web", __metrics_path__: `/${namespace}` },
        })),
      },
    ],
  });
}
