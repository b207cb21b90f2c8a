import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Agent } from "undici";
import type { Reading } from "../../src/decision/sample.ts";
import { PrometheusClient } from "../../src/prometheus/client.ts";
import { Sampler } from "../../src/prometheus/sampler.ts";
import { buildSignalQuery, type FormQuery, type SignalSpec } from "../../src/prometheus/signal-query.ts";
import { startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { remoteWrite, type WrittenSeries } from "../support/remote-write.ts";

/** Many targets of one real Prometheus: what a group reads is what each of them reads alone. */

const STEP = 1_000;
const LENGTH = 120;
/** Second 0 of the data. */
const ZERO = Math.floor(Date.now() / STEP) * STEP - 10 * 60_000;
const { signal } = new AbortController();
const clock = { monotonic: () => performance.now() };
const agent = new Agent();

type Labels = Readonly<Record<string, string>>;

let folder = "";
let prometheus: Prometheus;

/** Values that a careless regular expression or a careless quote would change. */
const NASTY = [
  "plain",
  "a|b",
  "a",
  "b",
  "a.b",
  "axb",
  "a.*",
  ".*",
  ".+",
  "^a$",
  "(a)",
  "[ab]",
  "a{2}",
  "aa",
  "a\\b",
  "\\d",
  "1",
  'quote"d',
  "'single'",
  "`tick`",
  "new\nline",
  "tab\t",
  "ünï©ode",
  "日本語",
  "😀",
  "\u0001",
  "a\u0085b",
  " ",
  "a b",
  "a,b",
  "$HOME",
  "a-b",
  "A",
  "{}",
  "%",
  "=~",
  "a+b",
  "a?b",
  "?",
];

const random = fc.sample(fc.string({ minLength: 1, maxLength: 8, unit: "binary" }), { numRuns: 60, seed: 5 });
const values = [...new Set([...NASTY, ...random])].filter((value) => value.isWellFormed());
/** Every value as an application, in one of four namespaces; some pairs differ in the namespace only. */
const targets: readonly Labels[] = [
  ...values.map((app, index) => ({ namespace: `n|${index % 4}`, app })),
  ...values.slice(0, 10).map((app) => ({ namespace: "other.one", app })),
];

function counter(labels: Labels, valueAt: (second: number) => number | undefined): WrittenSeries {
  const samples = Array.from({ length: LENGTH + 1 }, (_, second) => ({
    at: ZERO + second * STEP,
    value: valueAt(second),
  })).flatMap(({ at, value }) => (value === undefined ? [] : [{ at, value }]));
  return { labels, samples };
}

function seriesOf(target: Labels, index: number): readonly WrittenSeries[] {
  const rate = 10 + index;
  const of = (name: string, labels: Labels) => ({ __name__: name, ...target, ...labels });
  const good = counter(of("requests_total", { code: "200", route: "/" }), (second) => rate * second);
  const reset = counter(of("requests_total", { code: "500", route: "/models" }), (second) =>
    // Restarts at second 60: its counter begins at 0 again.
    index % 3 === 0 ? rate * (second < 60 ? second : second - 60) : undefined,
  );
  const buckets = ["0.1", "1", "+Inf"].map((le, bound) =>
    counter(of("latency_bucket", { le }), (second) => rate * second * (bound === 0 ? 0.5 : 1)),
  );
  const gone = index % 5 === 0 ? 80 : LENGTH;
  const count = counter(of("latency_count", {}), (second) => (second <= gone ? rate * second : undefined));
  return [good, reset, ...buckets, count];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prometheus-groups-"));
  prometheus = await startPrometheus({
    dir: folder,
    listen: "127.0.0.1:0",
    configText: "global: {}\n",
    args: ["--web.enable-remote-write-receiver"],
  });
  await remoteWrite(prometheus.url, targets.flatMap(seriesOf));
}, 60_000);

afterAll(async () => {
  await prometheus?.stop();
  await agent.destroy();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

function serverAt(namespaceLabel?: string) {
  return { name: "main", url: prometheus.url, timeoutMs: 10_000, scrapeIntervalMs: STEP, namespaceLabel };
}

function sampler() {
  const results: string[] = [];
  const client = new PrometheusClient(serverAt(), agent, clock, ({ result }) => results.push(result));
  return { sampler: new Sampler(client, clock), results };
}

function formQuery(prometheusSpec: Omit<SignalSpec["prometheus"], "minimumRequests">): FormQuery {
  const spec = { name: "s", prometheus: { minimumRequests: 50, ...prometheusSpec } };
  const built = buildSignalQuery(spec, serverAt(), "shop");
  if (built.kind === "Refused" || built.value.kind === "query") throw new Error("not a form");
  return built.value;
}

const FORMS: Readonly<Record<string, (match: Labels) => FormQuery>> = {
  ratio: (match) =>
    formQuery({
      match,
      ratio: { bad: 'requests_total{code=~"5.."}', total: "requests_total", window: "10s" },
    }),
  "ratio by route": (match) =>
    formQuery({
      match,
      ratio: { bad: 'requests_total{code=~"5.."}', total: "requests_total", window: "10s", by: ["route"] },
    }),
  quantile: (match) =>
    formQuery({ match, quantile: { quantile: "0.95", histogram: "latency", window: "10s" } }),
};

function at(second: number): number {
  return ZERO + second * STEP;
}

describe("many targets, read together from a real Prometheus", () => {
  it.each(Object.entries(FORMS))(
    "give what each gives alone: %s",
    async (_, build) => {
      const together = sampler();
      const alone = sampler();
      const queries = targets.map(build);
      const members = queries.map((query) => together.sampler.join(query, "row"));
      for (const second of [5, 50, 62, 100, LENGTH + 30]) {
        const readings = await Promise.all(members.map((member) => member.read(at(second), signal)));
        const singly: Reading[] = [];
        for (const query of queries) singly.push(await alone.sampler.sample(query, at(second), signal));
        expect(readings).toEqual(singly);
      }
      // Two for each instant, and what proves that `code` is a label.
      expect(together.results.length).toBeLessThanOrEqual(5 * 2 + 2);
      expect(new Set(together.results)).toEqual(new Set(["Ok"]));
    },
    120_000,
  );

  it("have the requests that were made to them, whatever their names are", async () => {
    const { sampler: together } = sampler();
    const members = targets.map((target) => together.join(FORMS["ratio"]!(target), "row"));
    const readings = await Promise.all(members.map((member) => member.read(at(50), signal)));
    for (const [index, reading] of readings.entries()) {
      const isBad = index % 3 === 0;
      expect(reading).toMatchObject({
        kind: "Value",
        value: expect.closeTo(isBad ? 0.5 : 0, 6),
        requests: expect.closeTo((10 + index) * 10 * (isBad ? 2 : 1), 6),
      });
    }
  });

  it("read their past together, across the reset of a counter", async () => {
    const { sampler: together, results } = sampler();
    const { sampler: alone } = sampler();
    const queries = targets.map((target) => FORMS["ratio"]!(target));
    const range = { start: at(40), end: at(80), step: STEP };
    const past = await Promise.all(
      queries.map((query) => together.join(query, "row").readPast(range, signal)),
    );
    expect(results.length).toBeLessThanOrEqual(3);
    for (const [index, query] of queries.entries()) {
      if (index % 7 !== 0) continue;
      expect(past[index]).toEqual(await alone.sampleRange(query, range, signal));
      const samples = past[index]?.kind === "Ok" ? (past[index].value.get("") ?? []) : [];
      expect(samples).toHaveLength(41);
      // A counter that began again is no sudden health and no negative rate.
      for (const { sample } of samples) {
        expect(sample).toMatchObject({ kind: "Value", value: expect.closeTo(index % 3 === 0 ? 0.5 : 0, 1) });
      }
    }
  }, 60_000);

  it("find the highest buckets of all by one query", async () => {
    const { sampler: together, results } = sampler();
    const members = targets.map((target) => together.join(FORMS["quantile"]!(target), "row"));
    const found = await Promise.all(members.map((member) => member.highestBucket(at(50), signal)));
    expect(found).toEqual(targets.map(() => ({ kind: "Found", bound: 1 })));
    expect(results).toEqual(["Ok"]);
  });

  it("where one is not there at all, leave the others alone", async () => {
    const { sampler: together } = sampler();
    const missing = FORMS["ratio"]!({ namespace: "n|0", app: "a|" });
    const members = [missing, FORMS["ratio"]!(targets[1] ?? {})].map((query) => together.join(query, "row"));
    const [none, some] = await Promise.all(members.map((member) => member.read(at(50), signal)));
    expect(none).toMatchObject({ kind: "NoData" });
    expect(some).toMatchObject({ kind: "Value" });
  });
});
