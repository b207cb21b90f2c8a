import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { WHOLE } from "../decision/sample.ts";
import type { Answer, Element, Series } from "./answer.ts";
import type { PrometheusApi } from "./client.ts";
import { Sampler } from "./sampler.ts";
import type { PrometheusServer } from "./server.ts";
import { buildSignalQuery, type SignalQuery, type SignalSpec } from "./signal-query.ts";

const SERVER: PrometheusServer = { name: "main", url: "http://x", timeoutMs: 1, scrapeIntervalMs: 1000 };
const STEP = 1000;
const signal = new AbortController().signal;

/** Per query text and instant, the values of its series; all have the same labels, none. */
type Script = Readonly<Record<string, (atMs: number) => readonly number[]>>;

function scripted(script: Script): PrometheusApi & { readonly asked: string[] } {
  const asked: string[] = [];
  const at = (query: string, atMs: number): readonly Element[] => {
    const values = script[query]?.(atMs) ?? [];
    return values.map((value) => ({ labels: {}, at: atMs, value }));
  };
  return {
    server: SERVER,
    asked,
    instant: async (query, atMs): Promise<Answer<readonly Element[]>> => {
      asked.push(query);
      return { kind: "Ok", value: at(query, atMs) };
    },
    range: async (query, start, end, step): Promise<Answer<readonly Series[]>> => {
      asked.push(query);
      expect((end - start) / step).toBeLessThan(11_000);
      const series: { at: number; value: number }[][] = [];
      for (let time = start; time <= end; time += step) {
        for (const [index, { value }] of at(query, time).entries()) {
          (series[index] ??= []).push({ at: time, value });
        }
      }
      const value = series.map((points) => ({ labels: {}, points }));
      return { kind: "Ok", value };
    },
  };
}

function query(prometheus: Partial<SignalSpec["prometheus"]>): SignalQuery {
  const built = buildSignalQuery(
    { name: "s", prometheus: { minimumRequests: 50, ...prometheus } },
    SERVER,
    "shop",
  );
  if (built.kind === "Refused") {
    throw new Error(built.message);
  }
  return built.value;
}

const RATIO = query({ ratio: { bad: 'r{status=~"5.."}', total: "r", window: "10s" } });
const QUANTILE = query({ quantile: { quantile: "0.95", histogram: "h", window: "10s" } });
const FREE = query({ query: "max(q)" });
const PROOF = 'count by () (r{status!=""})';

function rolesOf(of: SignalQuery): readonly [string, string] {
  switch (of.kind) {
    case "ratio":
      return [of.bad, of.total];
    case "quantile":
      return [of.value, of.count];
    case "query":
      return [of.value, of.freshness];
  }
}

function script(
  of: SignalQuery,
  first: readonly number[],
  second: readonly number[],
  proof: readonly number[] = [1],
) {
  const [one, two] = rolesOf(of);
  return scripted({ [one]: () => first, [two]: () => second, [PROOF]: () => proof });
}

async function sampleOf(api: PrometheusApi, of: SignalQuery) {
  return await new Sampler(api, { monotonic: () => 0 }).sample(of, 100_000, signal);
}

describe("the class of a sample", () => {
  it.each([
    ["Value", RATIO, [2], [10], { value: 0.2, requests: 100 }],
    ["Value", RATIO, [], [10], { value: 0, requests: 100, note: expect.stringContaining("read as 0") }],
    ["NoData", RATIO, [], [], {}],
    ["NoData", RATIO, [1], [], {}],
    [
      "InsufficientTraffic",
      RATIO,
      [4],
      [4.9],
      { detail: "49 requests in the window, minimumRequests is 50" },
    ],
    ["InsufficientTraffic", RATIO, [0], [0], {}],
    ["InsufficientTraffic", RATIO, [], [4.9], {}],
    ["NaN", RATIO, [Number.NaN], [10], {}],
    ["NaN", RATIO, [1], [Number.NaN], {}],
    ["Ambiguous", RATIO, [1, 2], [10], {}],
    ["Ambiguous", RATIO, [1], [10, 20], {}],
    ["Value", QUANTILE, [0.7], [10], { value: 0.7, requests: 100 }],
    ["NaN", QUANTILE, [Number.NaN], [10], {}],
    ["NaN", QUANTILE, [Infinity], [10], {}],
    ["NoData", QUANTILE, [], [10], {}],
    ["InsufficientTraffic", QUANTILE, [3], [1], {}],
    ["Value", FREE, [7], [98], { value: 7 }],
    ["Stale", FREE, [7], [97.5], { detail: "the newest sample is 2.5s old or older" }],
    ["Stale", FREE, [7], [], {}],
    ["NoData", FREE, [], [100], {}],
    ["Ambiguous", FREE, [7, 8], [100], {}],
    ["NaN", FREE, [-Infinity], [100], {}],
  ] as const)("%s: %#", async (kind, of, first, second, more) => {
    expect(await sampleOf(script(of, first, second), of)).toMatchObject({ kind, ...more });
  });

  it.each([[], [0]])("no request is no traffic, even with minimumRequests 0 (%j bad)", async (...bad) => {
    const of = query({
      ratio: { bad: 'r{status=~"5.."}', total: "r", window: "10s" },
      minimumRequests: 0,
    });
    expect((await sampleOf(script(of, bad, [0]), of)).kind).toBe("InsufficientTraffic");
  });

  it("Unproven when a label of bad never occurs beside a total", async () => {
    const sample = await sampleOf(script(RATIO, [], [10], []), RATIO);
    expect(sample).toEqual({
      kind: "Unproven",
      detail: 'no series of r has the label "status" that ratio.bad names',
    });
    expect((await sampleOf(script(RATIO, [1], [10], []), RATIO)).kind).toBe("Value");
  });

  it("Error when the server fails, in any of its queries", async () => {
    const failing = (guilty: string): PrometheusApi => {
      const good = script(RATIO, [], [10]);
      const error = { kind: "Timeout", message: "too slow" } as const;
      return {
        ...good,
        instant: async (text, at, abort) =>
          text === guilty ? { kind: "Failed", error } : await good.instant(text, at, abort),
      };
    };
    for (const guilty of [...rolesOf(RATIO), PROOF]) {
      expect(await sampleOf(failing(guilty), RATIO)).toEqual({ kind: "Error", detail: "too slow" });
    }
  });
});

describe("a proof", () => {
  it("is asked for again only after some minutes, while a missing one is asked for every time", async () => {
    let now = 0;
    let proof: readonly number[] = [];
    const api = scripted({ [rolesOf(RATIO)[1]]: () => [10], [PROOF]: () => proof });
    const sampler = new Sampler(api, { monotonic: () => now });
    const proofsAsked = () => api.asked.filter((text) => text === PROOF).length;
    await sampler.sample(RATIO, 0, signal);
    await sampler.sample(RATIO, 0, signal);
    expect(proofsAsked()).toBe(2);
    proof = [1];
    await sampler.sample(RATIO, 0, signal);
    await sampler.sample(RATIO, 0, signal);
    expect(proofsAsked()).toBe(3);
    now = 300_001;
    await sampler.sample(RATIO, 0, signal);
    expect(proofsAsked()).toBe(4);
  });
});

describe("one at a time", () => {
  it("answers Error while a free query is under way, and other queries are not held up", async () => {
    const gate = Promise.withResolvers<void>();
    const good = scripted({
      [rolesOf(RATIO)[1]]: () => [10],
      [rolesOf(FREE)[0]]: () => [7],
      [rolesOf(FREE)[1]]: (at) => [at / 1000],
      [PROOF]: () => [1],
    });
    let running = 0;
    const api: PrometheusApi = {
      ...good,
      instant: async (text, at, abort) => {
        if (text === rolesOf(FREE)[0]) {
          running += 1;
          await gate.promise;
        }
        return await good.instant(text, at, abort);
      },
    };
    const sampler = new Sampler(api, { monotonic: () => 0 });
    const slow = sampler.sample(FREE, 0, signal);
    expect((await sampler.sample(FREE, 1000, signal)).kind).toBe("Error");
    expect((await sampler.sample(RATIO, 0, signal)).kind).toBe("Value");
    expect(running).toBe(1);
    gate.resolve();
    expect((await slow).kind).toBe("Value");
    expect((await sampler.sample(FREE, 2000, signal)).kind).toBe("Value");
  });
});

describe("a range", () => {
  const number = fc.oneof(
    fc.constantFrom(0, 1, 6, 10, Number.NaN, Infinity),
    fc.double({ min: 0, max: 200, noNaN: true }),
  );
  const series = fc.array(fc.array(number, { maxLength: 2 }), { minLength: 1, maxLength: 12 });

  it("gives the samples that every single instant would have given", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(RATIO, QUANTILE, FREE),
        series,
        series,
        fc.boolean(),
        async (of, one, two, proven) => {
          const [first, second] = rolesOf(of);
          const api = scripted({
            [first]: (at) => one[at / STEP] ?? [],
            [second]: (at) => two[at / STEP] ?? [],
            [PROOF]: () => (proven ? [1] : []),
          });
          const sampler = new Sampler(api, { monotonic: () => 0 });
          const range = await sampler.sampleRange(of, { start: 0, end: 11 * STEP, step: STEP }, signal);
          const singly = [];
          for (let at = 0; at <= 11 * STEP; at += STEP) {
            singly.push({ at, sample: await sampler.sample(of, at, signal) });
          }
          expect(range).toEqual({ kind: "Ok", value: new Map([[WHOLE, singly]]) });
        },
      ),
      { numRuns: 200 },
    );
  });

  it("is asked for in parts that the server allows, without a seam", async () => {
    const api = script(FREE, [7], [1e9]);
    const range = await new Sampler(api, { monotonic: () => 0 }).sampleRange(
      FREE,
      { start: 0, end: 25_000 * STEP, step: STEP },
      signal,
    );
    const samples = range.kind === "Ok" ? (range.value.get(WHOLE) ?? []) : [];
    expect(samples.map(({ at }) => at)).toEqual(Array.from({ length: 25_001 }, (_, index) => index * STEP));
    expect(samples.every(({ sample }) => sample.kind === "Value")).toBe(true);
  });
});

describe("highestFiniteBucket", () => {
  const buckets = (bounds: readonly string[]): PrometheusApi => ({
    ...scripted({}),
    instant: async () => ({
      kind: "Ok",
      value: bounds.map((le) => ({ labels: { le }, at: 0, value: 1 })),
    }),
  });
  it.each([
    [["0.1", "2.5", "+Inf", "1"], { kind: "Found", bound: 2.5 }],
    [["+Inf"], { kind: "NoBuckets" }],
    [[], { kind: "NoBuckets" }],
  ] as const)("%j", async (bounds, expected) => {
    if (QUANTILE.kind !== "quantile") {
      throw new Error("not a quantile");
    }
    const sampler = new Sampler(buckets(bounds), { monotonic: () => 0 });
    expect(await sampler.highestFiniteBucket(QUANTILE, 0, signal)).toEqual(expected);
  });
});
