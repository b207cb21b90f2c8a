import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "undici";
import { WHOLE } from "../../src/decision/sample.ts";
import { PrometheusClient } from "../../src/prometheus/client.ts";
import { Sampler } from "../../src/prometheus/sampler.ts";
import { buildSignalQuery, type FormQuery } from "../../src/prometheus/signal-query.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { remoteWrite, type WrittenSeries } from "../support/remote-write.ts";

/** Native histograms in a real Prometheus. */

const STEP = 1_000;
const LENGTH = 60;
const ZERO = Math.floor(Date.now() / STEP) * STEP - 10 * 60_000;
const { signal } = new AbortController();
const clock = { monotonic: () => performance.now() };
const agent = new Agent();

let folder = "";
let prometheus: Prometheus;

/** In each second as many observations of up to 1, 2 and 4 seconds as `perSecond` says. */
function histogram(labels: Readonly<Record<string, string>>, perSecond: readonly number[]): WrittenSeries {
  return {
    labels: { __name__: "latency_seconds", namespace: "shop", ...labels },
    histograms: Array.from({ length: LENGTH + 1 }, (_, second) => ({
      at: ZERO + second * STEP,
      sum: second,
      buckets: perSecond.map((count) => count * second),
    })),
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prometheus-native-"));
  prometheus = await startPrometheus({
    dir: folder,
    listen: "127.0.0.1:0",
    configText: "global: {}\n",
    args: ["--web.enable-remote-write-receiver", "--enable-feature=native-histograms"],
  });
  const classic = (le: string) => ({
    labels: { __name__: "classic_seconds_bucket", namespace: "shop", app: "web", le },
    samples: Array.from({ length: LENGTH + 1 }, (_, second) => ({ at: ZERO + second * STEP, value: second })),
  });
  await remoteWrite(prometheus.url, [
    histogram({ app: "web", route: "/fast" }, [5, 4, 1]),
    histogram({ app: "api", route: "/fast" }, [10, 0, 0]),
    histogram({ app: "api", route: "/slow" }, [0, 0, 10]),
    histogram({ app: "idle", route: "/" }, [0, 0, 0]),
    classic("1"),
    classic("+Inf"),
  ]);
}, 60_000);

afterAll(async () => {
  await prometheus?.stop();
  await agent.destroy();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

function server() {
  return { name: "main", url: prometheus.url, timeoutMs: 10_000, scrapeIntervalMs: STEP };
}

function quantileOf(
  app: string,
  q: string,
  by?: readonly string[],
  histogram = "latency_seconds",
): FormQuery {
  const quantile = { quantile: q, histogram, window: "10s", format: "Native", by } as const;
  const match = { namespace: "shop", app };
  const spec = { name: "latency", prometheus: { match, quantile, minimumRequests: 50 } };
  const built = buildSignalQuery(spec, server(), "shop");
  if (built.kind === "Refused" || built.value.kind === "query") throw new Error("not a quantile");
  return built.value;
}

function sampler(): Sampler {
  return new Sampler(new PrometheusClient(server(), agent, clock), clock);
}

const AT = ZERO + 50 * STEP;

describe("a quantile of a native histogram", () => {
  it.each([
    ["0.5", 1],
    ["0.95", 3],
  ])("%s is %d, of as many requests as were observed", async (q, value) => {
    expect(await sampler().sample(quantileOf("web", q), AT, signal)).toEqual({
      kind: "Value",
      value: expect.closeTo(value, 5),
      requests: expect.closeTo(100, 5),
    });
  });

  it("is one for each route, and for many targets in one question", async () => {
    const one = sampler();
    const apps = ["web", "api", "idle"];
    const members = apps.map((app) => one.join(quantileOf(app, "0.5", ["route"]), "row"));
    const [web, api, idle] = await Promise.all(members.map((member) => member.read(AT, signal)));
    const fast = { kind: "Value", value: expect.closeTo(1, 5), requests: expect.closeTo(100, 5) };
    const slow = { kind: "Value", value: expect.closeTo(3, 5), requests: expect.closeTo(100, 5) };
    const half = { kind: "Value", value: expect.closeTo(0.75, 5), requests: expect.closeTo(100, 5) };
    expect(web).toEqual({ kind: "Split", parts: new Map([["route=/fast", fast]]) });
    expect(api).toEqual({
      kind: "Split",
      parts: new Map([
        ["route=/fast", half],
        ["route=/slow", slow],
      ]),
    });
    expect(idle).toMatchObject({
      parts: new Map([["route=/", { kind: "InsufficientTraffic", detail: expect.any(String) }]]),
    });
  });

  it("is no data where the histogram is a classic one", async () => {
    const sample = await sampler().sample(quantileOf("web", "0.5", undefined, "classic_seconds"), AT, signal);
    expect(sample).toMatchObject({ kind: "NoData" });
  });

  it("has no bucket above which nothing can be told", async () => {
    const found = await sampler().join(quantileOf("web", "0.5"), "row").highestBucket(AT, signal);
    expect(found).toEqual({ kind: "NoBuckets" });
  });

  it("reads its past", async () => {
    const query = quantileOf("web", "0.95");
    const range = { start: ZERO - 5 * STEP, end: ZERO + LENGTH * STEP, step: STEP };
    const past = await sampler().sampleRange(query, range, signal);
    const samples = past.kind === "Ok" ? (past.value.get(WHOLE) ?? []) : [];
    expect(samples).toHaveLength(LENGTH + 6);
    for (const { at, sample } of samples) expect(sample).toEqual(await sampler().sample(query, at, signal));
    expect(new Set(samples.map(({ sample }) => sample.kind)).has("Value")).toBe(true);
  }, 30_000);
});
