import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_LEDGERS, ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import { readAudit } from "../cluster/audit.ts";
import { differs, defectsOfOneRollback, isAtRest } from "../support/crash-facts.ts";
import { crashPoint, isLastingWrite, pointRecorder, type CrashMode } from "../support/crash-points.ts";
import {
  EXECUTOR,
  SHORT_LEASE,
  startCrashWorld,
  untilLeading,
  type CrashWorld,
  type ProxiedOperator,
} from "../support/crash-world.ts";
import { startExporter, type Exporter } from "../support/exporter.ts";
import type { ApiCall } from "../support/fault-proxy.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { until } from "../support/world.ts";

const signal = new AbortController().signal;

/** What stands between a bad release and its request: release recorded, decision recorded, request made. */
const POINTS = ["PUT rollbackledgers #1", "PUT rollbackledgers #2", "POST rollbackrequests #1"];

/** "after" leaves the world as "answer-lost" does, and "before" as the point before it; SOAK=1 runs them all the same. */
const MODES: readonly (readonly [CrashMode, readonly string[]])[] =
  process.env["SOAK"] === "1"
    ? [
        ["answer-lost", POINTS],
        ["after", POINTS],
        ["before", POINTS],
      ]
    : [
        ["answer-lost", POINTS],
        ["before", POINTS.slice(0, 1)],
      ];

const scenarios = MODES.flatMap(([mode, points]) =>
  points.map((point, index) => ({ mode, point, namespace: `${mode}-${index + 1}` })),
);

const NAMESPACES = ["undisturbed", ...scenarios.map(({ namespace }) => namespace)];

const REQUESTS_PER_SECOND = 50;

function policy(namespace: string): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: { name: "web", namespace },
    spec: {
      target: { kind: "Deployment", name: "web" },
      serviceAccountName: EXECUTOR,
      interval: "1s",
      bake: "2s",
      signals: [
        {
          name: "error-rate",
          prometheus: {
            ratio: { bad: 'http_requests_total{status=~"5.."}', total: "http_requests_total", window: "4s" },
            match: { app: "web" },
            minimumRequests: 20,
          },
        },
      ],
      matrix: [
        {
          name: "errors",
          when: { signal: "error-rate", above: "0.10", for: "1s" },
          severity: "SEV1",
          action: "Rollback",
        },
      ],
      verification: {
        settle: "0s",
        soak: "2s",
        interval: "1s",
        checks: [{ name: "pods", pods: { ready: "All" } }],
      },
      guards: { settle: "0s", cooldown: "30m", maxPerDay: 3, maxBreachAge: "20m" },
    },
  });
}

describe("the operator dies between its decision and its request", () => {
  let crashes: CrashWorld;
  let exporter: Exporter;
  let prometheus: Prometheus;
  let dir: string;
  let config: string;
  let leader: ProxiedOperator;
  let standby: ProxiedOperator;

  beforeAll(async () => {
    exporter = await startExporter();
    for (const namespace of NAMESPACES) exporter.service(namespace).traffic(REQUESTS_PER_SECOND, 0);
    dir = await mkdtemp(join(tmpdir(), "rollback-crash-"));
    prometheus = await startPrometheus({
      dir,
      listen: "127.0.0.1:0",
      configText: JSON.stringify({
        global: { scrape_interval: "1s", scrape_timeout: "1s" },
        scrape_configs: NAMESPACES.map((namespace) => ({
          job_name: namespace,
          metrics_path: `/${namespace}`,
          static_configs: [{ targets: [exporter.address], labels: { namespace, app: "web" } }],
        })),
      }),
    });
    crashes = await startCrashWorld();
    config = `${SHORT_LEASE}limits: {automaticRollbacksPer10Minutes: 1000, sharedBreachTargets: 0}\nprometheus: {servers: [{name: default, url: "${prometheus.url}", scrapeInterval: 1s}]}\n`;
    leader = await crashes.spawn({ config });
    await untilLeading(leader);
    standby = await crashes.spawn({ config });
    // All bake at once, then each gets its bad release.
    await Promise.all(
      NAMESPACES.map(async (namespace) => {
        await crashes.world.tenant(namespace);
        await crashes.applyVersion(namespace, ["web"], "v1");
        await crashes.world.kubectl(["apply", "-f", "-"], policy(namespace));
        await until(
          `${namespace}: v1 known good`,
          async () => (await ledgerOf(namespace))?.spec.knownGood ?? [],
          ({ length }) => length === 1,
          60_000,
        );
      }),
    );
  }, 180_000);

  afterAll(async () => {
    await crashes?.stop();
    await prometheus?.stop();
    await exporter?.close();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  async function ledgerOf(namespace: string) {
    return (await crashes.world.client.list(ROLLBACK_LEDGERS, { namespace, signal })).items[0];
  }

  function concerns(namespace: string): (call: ApiCall) => boolean {
    return (call) => isLastingWrite(call) && call.path.includes(`/namespaces/${namespace}/`);
  }

  async function releaseBadVersion(namespace: string): Promise<void> {
    await crashes.applyVersion(namespace, ["web"], "v2");
    exporter.service(namespace).traffic(REQUESTS_PER_SECOND, 0.5);
  }

  async function untilRolledBack(namespace: string): Promise<void> {
    await until(
      `${namespace}: a request at rest`,
      async () => (await crashes.world.client.list(ROLLBACK_REQUESTS, { namespace, signal })).items,
      (items) => items.some(isAtRest),
      45_000,
    );
  }

  async function defectsOf(namespace: string): Promise<readonly string[]> {
    const facts = await crashes.facts(namespace, "web");
    const audit = await readAudit(crashes.world.controlPlane.auditLogPath);
    const created = audit.writes({ resource: "rollbackrequests", verb: "create", namespace });
    const [request] = facts.requests;
    return [
      ...defectsOfOneRollback(facts),
      ...differs("requests ever created", created.length, 1),
      ...differs(
        "ledger.automatic",
        facts.ledger?.automatic.map((entry) => `${entry.request} for revision ${entry.revision}`),
        [`${request?.metadata.name} for revision 2`],
      ),
      ...differs("trigger", request?.status?.trigger?.policy, "web"),
    ].map((defect) => `${namespace}: ${defect}`);
  }

  it("writes what is expected, undisturbed", async () => {
    const recorder = pointRecorder(concerns("undisturbed"));
    leader.proxy.intercept(recorder.interceptor);
    await releaseBadVersion("undisturbed");
    await untilRolledBack("undisturbed");
    leader.proxy.intercept(undefined);

    const { points } = recorder;
    const upToRequest = points.slice(0, points.indexOf("POST rollbackrequests #1") + 1);
    expect(upToRequest.filter((point) => !point.includes("/status"))).toEqual(POINTS);
    expect(await defectsOf("undisturbed")).toEqual([]);
  }, 60_000);

  it.each(scenarios)(
    "$mode at $point: one request, one entry",
    async ({ mode, point, namespace }) => {
      const dying = leader;
      const struck = Promise.withResolvers<void>();
      const crash = crashPoint({
        mode,
        point,
        concerns: concerns(namespace),
        async strike() {
          await dying.kill();
          struck.resolve();
        },
      });
      dying.proxy.intercept(crash.interceptor);
      await releaseBadVersion(namespace);
      await struck.promise;
      leader = standby;
      await untilLeading(leader);
      standby = await crashes.spawn({ config });
      await untilRolledBack(namespace);

      expect(crash.hit()).toContain(point);
      expect(await defectsOf(namespace)).toEqual([]);
    },
    60_000,
  );

  it("the breach goes on, and nothing more is done about any of them", async () => {
    const audit = await readAudit(crashes.world.controlPlane.auditLogPath);
    const created = audit.writes({ resource: "rollbackrequests", verb: "create" });
    const patched = audit.writes({ resource: "deployments", verb: "patch" });
    const byExecutor = patched.filter(({ impersonatedUser }) =>
      impersonatedUser?.username.endsWith(`:${EXECUTOR}`),
    );
    expect([created.length, byExecutor.length]).toEqual([scenarios.length + 1, scenarios.length + 1]);
  });
});
