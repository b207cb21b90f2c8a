import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RollbackPolicyStatus } from "../src/crds/policy-status.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS } from "../src/kube/rollback-kinds.ts";
import { startExporter, type Exporter } from "../test/support/exporter.ts";
import { FAST_ELECTION } from "../test/support/operator-process.ts";
import { startPrometheus } from "../test/support/prometheus.ts";
import { startWorld, until, type World } from "../test/support/world.ts";
import { figure, progress, quantile } from "./figures.ts";

const INTERVAL_MS = 1_000;
/** Own eyes: how often Prometheus is asked whether the breach is visible yet, and the target whether it was patched. */
const LOOK_MS = 25;
const THRESHOLD = 0.1;

interface Target {
  readonly namespace: string;
  readonly exporter: Exporter;
}

/** Breach visible in Prometheus -> template back, with `for: 0s` and an interval of 1 s, on real Prometheus. */
export async function benchDetect(targets = 5, rounds = 20): Promise<readonly string[]> {
  const signal = new AbortController().signal;
  const world = await startWorld();
  const dir = await mkdtemp(join(tmpdir(), "rollback-bench-"));
  const list: Target[] = await Promise.all(
    Array.from({ length: targets }, async (_, index) => ({
      namespace: `detect-${index}`,
      exporter: await startExporter(),
    })),
  );
  const prometheus = await startPrometheus({ dir, listen: "127.0.0.1:0", configText: scrapeConfig(list) });
  try {
    await world.operator({
      config: `${FAST_ELECTION}limits: {automaticRollbacksPer10Minutes: 10000, sharedBreachTargets: 0}\nprometheus: {servers: [{name: default, url: "${prometheus.url}", scrapeInterval: 1s}]}\n`,
    });
    progress(`detect: baking ${targets} releases`);
    await Promise.all(list.map((target) => prepare(world, target, signal)));
    const latencies: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      progress(`detect: round ${round} of ${rounds}, ${targets} breaches`);
      latencies.push(
        ...(await Promise.all(list.map((each) => breach(world, prometheus.url, each, round, signal)))),
      );
    }
    return [
      figure("breach_visible_to_patch_p50", quantile(latencies, 0.5), "ms"),
      figure("breach_visible_to_patch_p99", quantile(latencies, 0.99), "ms", INTERVAL_MS + 250),
      figure("breach_visible_to_patch_samples", latencies.length, "breaches"),
    ];
  } finally {
    await world.stop();
    await prometheus.stop();
    await Promise.all(list.map(({ exporter }) => exporter.close()));
    await rm(dir, { recursive: true, force: true });
  }
}

async function prepare(world: World, { namespace, exporter }: Target, signal: AbortSignal): Promise<void> {
  exporter.traffic(100, 0);
  await world.tenant(namespace);
  await world.kubectl(["apply", "-n", namespace, "-f", "-"], deployment("v0"));
  await world.kubectl(["apply", "-n", namespace, "-f", "-"], policy());
  await until(
    `${namespace} known good`,
    () => world.client.get(ROLLBACK_POLICIES, { namespace, name: "web" }, { signal }),
    ({ status }) => status?.release?.knownGoodSince !== undefined,
    90_000,
  );
}

async function breach(
  world: World,
  url: string,
  { namespace, exporter }: Target,
  round: number,
  signal: AbortSignal,
): Promise<number> {
  await world.kubectl(["apply", "-n", namespace, "-f", "-"], deployment(`v${round}`));
  const policyOf = () => world.client.get(ROLLBACK_POLICIES, { namespace, name: "web" }, { signal });
  await until(`${namespace} ready`, policyOf, ({ status }) => isReadyFor(status, round), 60_000);
  // Each at a moment of its own, so that the phases of tick and scrape are spread.
  await new Promise((resolve) => setTimeout(resolve, 1_500 + Math.random() * 2_000));
  exporter.traffic(100, 0.5);
  const visible = await look(() => isVisible(url, namespace));
  const patched = await look(async () => {
    const { spec } = await world.deployment(`${namespace}/web`);
    return spec.template.spec.containers[0]?.image === "web:v0";
  });
  exporter.traffic(100, 0);
  await until(
    `${namespace} over`,
    () => world.client.list(ROLLBACK_REQUESTS, { namespace, signal }),
    ({ items }) =>
      items.length >= round && items.every(({ status }) => /Succeeded|Failed/.test(status?.phase ?? "")),
    60_000,
  );
  await until(`${namespace} calm`, policyOf, ({ status }) => status?.signals?.[0]?.state === "Ok", 60_000);
  return patched - visible;
}

function isReadyFor(status: RollbackPolicyStatus | undefined, round: number): boolean {
  const { conditions = [], release } = status ?? {};
  const ready = conditions.find(({ type }) => type === "RollbackReady")?.status === "True";
  // Every round adds two revisions: the release and its rollback.
  return ready && release?.revision === round * 2;
}

/** Milliseconds since the epoch when the probe was first true. */
async function look(probe: () => Promise<boolean>): Promise<number> {
  const deadline = Date.now() + 60_000;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error("not seen within 60 s");
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return Date.now();
}

async function isVisible(url: string, namespace: string): Promise<boolean> {
  const rate = (extra: string) => `sum(rate(http_requests_total{namespace="${namespace}"${extra}}[4s]))`;
  const query = `${rate(',status=~"5.."')} / ${rate("")} > ${THRESHOLD}`;
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const body = (await response.json()) as { readonly data?: { readonly result?: readonly unknown[] } };
  return (body.data?.result?.length ?? 0) > 0;
}

function scrapeConfig(list: readonly Target[]): string {
  return JSON.stringify({
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [
      {
        job_name: "bench",
        static_configs: list.map(({ exporter, namespace }) => ({
          targets: [exporter.address],
          labels: { namespace, app: "web" },
        })),
      },
    ],
  });
}

function deployment(version: string): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image: `web:${version}` }] },
      },
    },
  });
}

function policy(): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: { name: "web" },
    spec: {
      target: { kind: "Deployment", name: "web" },
      serviceAccountName: "rollback-executor",
      interval: `${INTERVAL_MS / 1000}s`,
      bake: "3s",
      signals: [
        {
          name: "error-rate",
          prometheus: {
            ratio: { bad: 'http_requests_total{status=~"5.."}', total: "http_requests_total", window: "4s" },
            match: { app: "web" },
          },
        },
      ],
      matrix: [
        {
          name: "errors",
          when: { signal: "error-rate", above: String(THRESHOLD), for: "0s" },
          action: "Rollback",
        },
      ],
      verification: { settle: "4s", soak: "1s", interval: "1s" },
      guards: { settle: "0s", cooldown: "0s", maxPerDay: 100, maxBreachAge: "20m" },
    },
  });
}
