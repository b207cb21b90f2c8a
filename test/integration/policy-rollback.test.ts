import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS, type RollbackPolicy } from "../../src/kube/rollback-kinds.ts";
import { awaitWrites, readAudit } from "../cluster/audit.ts";
import { startExporter, type Exporter } from "../support/exporter.ts";
import { FAST_ELECTION } from "../support/operator-process.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { startWorld, until, type World } from "../support/world.ts";

const signal = new AbortController().signal;

function deployment(version: string): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image: `web:${version}` }] },
      },
    },
  });
}

function policy(overrides: Record<string, unknown> = {}): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: { name: "web" },
    spec: {
      target: { kind: "Deployment", name: "web" },
      serviceAccountName: "rollback-executor",
      interval: "1s",
      bake: "3s",
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
          name: "error-rate-critical",
          when: { signal: "error-rate", above: "0.10", for: "3s" },
          severity: "SEV1",
          action: "Rollback",
        },
      ],
      verification: { settle: "1s", soak: "3s", interval: "1s" },
      guards: { settle: "1s", cooldown: "30m", maxPerDay: 3, maxBreachAge: "20m" },
      ...overrides,
    },
  });
}

describe("a policy on a real API server with a real Prometheus", () => {
  let world: World;
  let exporter: Exporter;
  let prometheus: Prometheus;
  let dir: string;

  beforeAll(async () => {
    world = await startWorld();
    exporter = await startExporter();
    dir = await mkdtemp(join(tmpdir(), "rollback-policy-"));
    prometheus = await startPrometheus({
      dir,
      listen: "127.0.0.1:0",
      configText: JSON.stringify({
        global: { scrape_interval: "1s", scrape_timeout: "1s" },
        scrape_configs: [
          {
            job_name: "web",
            static_configs: [{ targets: [exporter.address], labels: { namespace: "shop", app: "web" } }],
          },
        ],
      }),
    });
    await world.operator({
      config: `${FAST_ELECTION}prometheus: {servers: [{name: default, url: "${prometheus.url}", scrapeInterval: 1s}]}\n`,
    });
    await world.tenant("shop");
  }, 120_000);

  afterAll(async () => {
    await world?.stop();
    await prometheus?.stop();
    await exporter?.close();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const read = () => world.client.get(ROLLBACK_POLICIES, { namespace: "shop", name: "web" }, { signal });
  const condition = (object: RollbackPolicy, type: string) =>
    object.status?.conditions?.find((each) => each.type === type);

  it("rolls a bad release back to the revision that baked, and proves it", async () => {
    exporter.traffic(50, 0);
    await world.kubectl(["apply", "-n", "shop", "-f", "-"], deployment("v1"));
    await world.kubectl(["apply", "-n", "shop", "-f", "-"], policy());

    const baked = await until(
      "revision 1 known good",
      read,
      (p) => p.status?.release?.knownGoodSince !== undefined,
      40_000,
    );
    expect(condition(baked, "Ready")).toMatchObject({ status: "True" });
    expect(condition(baked, "RollbackReady")).toMatchObject({ status: "False" });

    await world.kubectl(["apply", "-n", "shop", "-f", "-"], deployment("v2"));
    const ready = await until(
      "rollback ready",
      read,
      (p) => condition(p, "RollbackReady")?.status === "True",
    );
    expect(ready.status?.rollbackTarget).toBe("revision 1");
    exporter.traffic(50, 0.3);

    const requests = () => world.client.list(ROLLBACK_REQUESTS, { namespace: "shop", signal });
    const made = await until("a request", requests, ({ items }) => items.length > 0, 30_000);
    exporter.traffic(50, 0);
    const name = made.items[0]?.metadata.name ?? "";
    const done = await until(
      "the end",
      () => world.request(`shop/${name}`),
      ({ status }) => status?.phase === "Succeeded",
      40_000,
    );

    expect(done.status?.conditions?.find(({ type }) => type === "Verified")?.status).toBe("True");
    expect(done.status?.trigger).toMatchObject({
      policy: "web",
      row: "error-rate-critical",
      threshold: "10%",
    });
    expect(done.status?.timeline).toMatchObject({
      released: expect.any(String),
      breached: expect.any(String),
      decided: expect.any(String),
      applied: expect.any(String),
      verified: expect.any(String),
    });
    const live = await world.deployment("shop/web");
    expect(live.spec.template.spec.containers[0]?.image).toBe("web:v1");
    const patches = await awaitWrites(world.controlPlane.auditLogPath, {
      resource: "deployments",
      verb: "patch",
      namespace: "shop",
      actor: "system:serviceaccount:shop:rollback-executor",
    });
    expect(patches).toHaveLength(1);
    const after = await until("decision told", read, (p) => p.status?.lastDecision?.verdict === "Rollback");
    expect(after.status?.lastDecision).toMatchObject({ row: "error-rate-critical", requestRef: name });
  }, 180_000);

  it("holds the next breach in the cool-down, and says so", async () => {
    await world.kubectl(["apply", "-n", "shop", "-f", "-"], deployment("v3"));
    exporter.traffic(50, 0.4);

    const held = await until("held", read, (p) => p.status?.lastDecision?.verdict === "Held", 40_000);

    expect(held.status?.lastDecision?.reason).toMatch(/Cooldown/);
    const audit = await readAudit(world.controlPlane.auditLogPath);
    expect(audit.writes({ resource: "rollbackrequests", verb: "create", namespace: "shop" })).toHaveLength(1);
    exporter.traffic(50, 0);
  }, 90_000);

  it("does nothing on missing data and says why", async () => {
    exporter.silent(true);

    const blind = await until(
      "cannot evaluate",
      read,
      (p) => condition(p, "Ready")?.reason === "CannotEvaluate",
      60_000,
    );

    expect(condition(blind, "Ready")).toMatchObject({
      status: "False",
      message: expect.stringContaining("error-rate"),
    });
    exporter.silent(false);
    await until("recovered by itself", read, (p) => condition(p, "Ready")?.status === "True", 60_000);
  }, 150_000);
});
