import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Agent } from "undici";
import { WHOLE } from "../../src/decision/sample.ts";
import type { Row } from "../../src/decision/row.ts";
import { fires, replay } from "../../src/decision/window.ts";
import { PrometheusClient } from "../../src/prometheus/client.ts";
import { Sampler } from "../../src/prometheus/sampler.ts";
import { buildSignalQuery, type SignalQuery, type SignalSpec } from "../../src/prometheus/signal-query.ts";

/** A real Prometheus over back-filled blocks: every sample class without waiting for a scrape. */

const STEP = 1000;
/** Second 0 of the data: some hours ago, so that the blocks are whole and within the retention. */
const ZERO = Math.floor(Date.now() / STEP) * STEP - 6 * 3_600_000;
const LENGTH = 300;
const signal = new AbortController().signal;
const clock = { monotonic: () => performance.now() };
const agent = new Agent();

let folder = "";
let prometheus: ChildProcess | undefined;
let url = "";

/** Value of each series at a second, undefined where it has no sample. */
const SERIES: Readonly<Record<string, (second: number) => number | undefined>> = {
  'requests_total{namespace="shop",app="api",status="200"}': (s) => 10 * s,
  // 500s begin at second 100 and end at second 200.
  'requests_total{namespace="shop",app="api",status="500"}': (s) => 5 * Math.min(Math.max(s - 100, 0), 100),
  'requests_total{namespace="other",app="api",status="500"}': (s) => 1000 * s,
  'healthy_total{namespace="shop",app="api",status="200"}': (s) => 10 * s,
  'unlabelled_total{namespace="shop",app="api"}': (s) => 10 * s,
  'thin_total{namespace="shop",app="api",status="200"}': (s) => s,
  'latency_bucket{namespace="shop",app="api",le="0.1"}': (s) => 5 * s,
  'latency_bucket{namespace="shop",app="api",le="1"}': (s) => 10 * s,
  'latency_bucket{namespace="shop",app="api",le="+Inf"}': (s) => 10 * s,
  'latency_count{namespace="shop",app="api"}': (s) => 10 * s,
  'queue_seconds{namespace="shop"}': (s) => (s <= 150 ? 7 : undefined),
  'queue_seconds{namespace="other"}': () => 9000,
  'heartbeat{namespace="shop"}': () => 1,
  'broken{namespace="shop"}': () => Number.NaN,
  'several{namespace="shop",pod="a"}': () => 1,
  'several{namespace="shop",pod="b"}': () => 2,
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prometheus-signals-"));
  const lines = Object.entries(SERIES).flatMap(([name, valueAt]) =>
    Array.from({ length: LENGTH + 1 }, (_, second) => {
      const value = valueAt(second);
      return value === undefined ? [] : [`${name} ${value} ${ZERO / 1000 + second}`];
    }).flat(),
  );
  await writeFile(join(folder, "data.om"), `${lines.join("\n")}\n# EOF\n`);
  await writeFile(join(folder, "prometheus.yml"), "global: {}\n");
  const data = join(folder, "data");
  await promisify(execFile)("promtool", [
    "tsdb",
    "create-blocks-from",
    "openmetrics",
    join(folder, "data.om"),
    data,
  ]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  prometheus = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  );
  await ready();
}, 60_000);

afterAll(async () => {
  if (prometheus !== undefined && prometheus.exitCode === null) {
    prometheus.kill("SIGTERM");
    await once(prometheus, "exit");
  }
  await agent.destroy();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

async function freePort(): Promise<number> {
  const probe = createTcpServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

async function ready(): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const status = await fetch(`${url}/-/ready`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) {
      return;
    }
    await sleep(100);
  }
  throw new Error("Prometheus did not become ready");
}

function serverAt(address: string) {
  return {
    name: "main",
    url: address,
    timeoutMs: 5000,
    scrapeIntervalMs: STEP,
    namespaceLabel: "namespace",
  };
}

function samplerAt(address: string): Sampler {
  return new Sampler(new PrometheusClient(serverAt(address), agent, clock), clock);
}

function query(prometheus: Partial<SignalSpec["prometheus"]>): SignalQuery {
  const spec = { name: "s", prometheus: { minimumRequests: 50, ...prometheus } };
  const built = buildSignalQuery(spec, serverAt(url || "http://none"), "shop");
  if (built.kind === "Refused") {
    throw new Error(built.message);
  }
  return built.value;
}

function ratioOf(metric: string): SignalQuery {
  const ratio = { bad: `${metric}{status=~"5.."}`, total: metric, window: "10s" };
  return query({ ratio, match: { app: "api" } });
}

const quantileQuery = () =>
  query({ quantile: { quantile: "0.95", histogram: "latency", window: "10s" }, match: { app: "api" } });

describe("a sample from a real Prometheus", () => {
  it.each<[string, () => SignalQuery, number, object]>([
    ["no 5xx yet", () => ratioOf("requests_total"), 90, { kind: "Value", value: 0 }],
    [
      "a third fails",
      () => ratioOf("requests_total"),
      150,
      { kind: "Value", value: expect.closeTo(1 / 3, 5), requests: expect.closeTo(150, 5) },
    ],
    [
      "right label, never a bad series",
      () => ratioOf("healthy_total"),
      150,
      { kind: "Value", value: 0, note: expect.any(String) },
    ],
    ["a label that never occurs", () => ratioOf("unlabelled_total"), 150, { kind: "Unproven" }],
    ["few requests", () => ratioOf("thin_total"), 150, { kind: "InsufficientTraffic" }],
    ["no such metric", () => ratioOf("missing_total"), 150, { kind: "NoData" }],
    ["before the data", () => ratioOf("requests_total"), -60, { kind: "NoData" }],
    ["after the data", () => ratioOf("requests_total"), LENGTH + 60, { kind: "NoData" }],
    ["quantile", quantileQuery, 150, { kind: "Value", value: expect.closeTo(0.91, 5) }],
    [
      "gauge of our namespace only",
      () => query({ query: "max(queue_seconds)" }),
      150,
      { kind: "Value", value: 7 },
    ],
    ["gauge that looks alive", () => query({ query: "max(queue_seconds)" }), 200, { kind: "Stale" }],
    ["gauge that is gone", () => query({ query: "max(queue_seconds)" }), 460, { kind: "NoData" }],
    [
      "one of two selectors stale",
      () => query({ query: "max(queue_seconds) + max(heartbeat)" }),
      200,
      { kind: "Stale" },
    ],
    [
      "both fresh",
      () => query({ query: "max(queue_seconds) + max(heartbeat)" }),
      100,
      { kind: "Value", value: 8 },
    ],
    [
      "named freshness",
      () => query({ query: "max(queue_seconds)", freshness: "heartbeat" }),
      200,
      { kind: "Value" },
    ],
    [
      "a value without series behind it",
      () => query({ query: "max(missing) or vector(1)" }),
      150,
      { kind: "Stale" },
    ],
    ["not a number", () => query({ query: "max(broken)" }), 150, { kind: "NaN" }],
    ["division by zero", () => query({ query: "max(heartbeat) / 0" }), 150, { kind: "NaN" }],
    ["several series", () => query({ query: "several" }), 150, { kind: "Ambiguous" }],
    ["a scalar", () => query({ query: "scalar(heartbeat)" }), 150, { kind: "Value", value: 1 }],
    [
      "refused by the server",
      () => query({ query: "rate(heartbeat)" }),
      150,
      { kind: "Error", detail: expect.stringContaining("refused the query") },
    ],
  ])("%s", async (_, build, second, expected) => {
    const sample = await samplerAt(url).sample(build(), ZERO + second * STEP, signal);
    expect(sample).toMatchObject(expected);
  });

  it("finds the highest finite bucket", async () => {
    const of = quantileQuery();
    const found =
      of.kind === "quantile" && (await samplerAt(url).highestFiniteBucket(of, ZERO + 150 * STEP, signal));
    expect(found).toEqual({ kind: "Found", bound: 1 });
  });

  it.each<[string, () => SignalQuery]>([
    ["ratio", () => ratioOf("requests_total")],
    ["quantile", quantileQuery],
    ["free query", () => query({ query: "max(queue_seconds)" })],
  ])(
    "a range of %s gives the samples of its instants",
    async (_, build) => {
      const sampler = samplerAt(url);
      const of = build();
      const [start, end] = [ZERO - 5 * STEP, ZERO + (LENGTH + 15) * STEP];
      const range = await sampler.sampleRange(of, { start, end, step: STEP }, signal);
      const singly = [];
      for (let at = start; at <= end; at += STEP) {
        singly.push({ at, sample: await sampler.sample(of, at, signal) });
      }
      expect(range.kind === "Ok" && range.value).toEqual(new Map([[WHOLE, singly]]));
      expect(new Set(singly.map(({ sample }) => sample.kind)).size).toBeGreaterThan(1);
    },
    60_000,
  );

  it("rebuilds a window that fires on the incident and knows its onset", async () => {
    const row: Row = {
      name: "critical",
      signal: "s",
      unit: "ratio",
      comparison: "above",
      threshold: 0.1,
      forMs: 20 * STEP,
      severity: "SEV1",
      action: "Rollback",
      plan: "application",
      expiresAfterMs: 1_800_000,
    };
    const range = await samplerAt(url).sampleRange(
      ratioOf("requests_total"),
      { start: ZERO, end: ZERO + 150 * STEP, step: STEP },
      signal,
    );
    const window = replay(row, range.kind === "Ok" ? (range.value.get(WHOLE) ?? []) : [], STEP);
    expect(fires(window, row.forMs)).toBe(true);
    const onset = ((window.onset ?? 0) - ZERO) / STEP;
    expect(onset).toBeGreaterThan(100);
    expect(onset).toBeLessThan(105);
    expect(window.healthyAt).toBe(ZERO + (onset - 1) * STEP);
  });
});

describe("a server in trouble", () => {
  async function against(
    status: number,
    body: string,
    test: (address: string) => Promise<void>,
  ): Promise<void> {
    const server: Server = createServer((request, response) => {
      request.resume();
      response.writeHead(status, { location: `${url}/api/v1/query` }).end(body);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    await test(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }

  it.each([
    [500, "", "HTTP 500"],
    [200, "<html>not Prometheus</html>", "not one of the Prometheus API"],
    [307, "", "redirect"],
  ])("HTTP %d %j is an Error", async (status, body, detail) => {
    await against(status, body, async (address) => {
      const sample = await samplerAt(address).sample(ratioOf("requests_total"), ZERO, signal);
      expect(sample).toEqual({ kind: "Error", detail: expect.stringContaining(detail) });
    });
  });

  it("that is down is an Error, and then is left alone; another server is not held up", async () => {
    const dead = samplerAt(`http://127.0.0.1:${await freePort()}`);
    const of = ratioOf("requests_total");
    expect(await dead.sample(of, ZERO, signal)).toMatchObject({
      kind: "Error",
      detail: expect.stringContaining("refused"),
    });
    for (let index = 0; index < 3; index += 1) {
      await dead.sample(of, ZERO, signal);
    }
    // The circuit is open by now, and says why.
    expect(await dead.sample(of, ZERO, signal)).toMatchObject({
      detail: expect.stringContaining("refused"),
    });
    expect((await samplerAt(url).sample(of, ZERO + 150 * STEP, signal)).kind).toBe("Value");
  });
});
