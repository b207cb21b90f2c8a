import { describe, expect, it } from "@jest/globals";
import type { Row } from "../decision/row.ts";
import type { Answer, Element, Series } from "./answer.ts";
import { EvidenceReader } from "./evidence.ts";
import { ROLE } from "./evidence-query.ts";
import {
  AT,
  counter,
  failed,
  FakeApi,
  healthy,
  isLastWeek,
  isPast,
  isPods,
  isScope,
  MINUTE,
  never,
  NOTHING,
  query,
  QUESTION,
  RATIO,
  ROW,
} from "./testing/evidence-api.ts";

describe("EvidenceReader", () => {
  it("asks at most five questions, all at once, each for a bounded answer", async () => {
    const { promise: release, resolve } = Promise.withResolvers<void>();
    const elements = ["0.5", "1.0", "5.0", "+Inf"].map((le) => ({ labels: { le }, at: AT, value: 1 }));
    const instant: Answer<readonly Element[]> = { kind: "Ok", value: elements };
    const api = new FakeApi(() => release.then(() => NOTHING), instant);
    const quantile = { quantile: "0.95", histogram: "seconds", window: "1m" };
    const reading = new EvidenceReader(api).read(
      query({ quantile, match: { app: "api" } }),
      { ...QUESTION, row: { ...ROW, unit: "seconds", threshold: 2 } },
      never,
    );
    await new Promise((done) => setImmediate(done));
    expect(api.asked).toHaveLength(5);
    resolve();
    await reading;
    expect(api.asked).toHaveLength(5);
    for (const { start, end, step } of api.asked) {
      expect(step === 0 ? 0 : (end - start) / step).toBeLessThanOrEqual(1_500);
    }
    expect(api.asked.find(isPods)?.query).toContain('le=~"1\\\\.0"');
  });

  it("writes what it asks", async () => {
    const api = new FakeApi(undefined, undefined, { namespaceLabel: "ns" });
    const given = query({ ratio: RATIO, match: { app: 'a"pi' } }, { namespaceLabel: "ns" });
    await new EvidenceReader(api).read(given, QUESTION, never);
    expect(api.asked.map(({ query: text }) => text).toSorted()).toMatchInlineSnapshot(`
     [
       "label_replace(sum by () (rate(hits{status=~"5..",app="a\\"pi",ns="shop"}[1m])), "__role__", "first", "", "") or label_replace(sum by () (rate(hits{app="a\\"pi",ns="shop"}[1m])), "__role__", "second", "", "")",
       "label_replace(sum by () (rate(hits{status=~"5..",app="a\\"pi",ns="shop"}[1m])), "__role__", "first", "", "") or label_replace(sum by () (rate(hits{app="a\\"pi",ns="shop"}[1m])), "__role__", "second", "", "")",
       "label_replace(sum by (pod) (hits{app="a\\"pi",ns="shop",pod=~".+-(?:new7|old6)-[a-z0-9]+"}), "__role__", "total", "", "") or label_replace(sum by (pod) (hits{status=~"5..",app="a\\"pi",ns="shop",pod=~".+-(?:new7|old6)-[a-z0-9]+"}), "__role__", "bad", "", "")",
       "label_replace(topk(50, count by (app, ns) ((sum by (app, ns) (rate(hits{status=~"5..",ns="shop"}[1m])) / sum by (app, ns) (rate(hits{ns="shop"}[1m]))) > 0.1 and sum by (app, ns) (rate(hits{ns="shop"}[1m])) > 0.825)), "__role__", "breaching", "", "") or label_replace(count(count by (app, ns) (sum by (app, ns) (rate(hits{ns="shop"}[1m])) > 0.825)), "__role__", "all", "", "")",
     ]
    `);
  });

  it("asks for the part that breaches", async () => {
    const api = new FakeApi();
    const given = query({ ratio: { ...RATIO, by: ["route"] }, match: { app: "api" } });
    await new EvidenceReader(api).read(given, { ...QUESTION, part: "route=/models" }, never);
    for (const asked of api.asked) {
      expect(asked.query.includes('route="/models"')).toBe(!isScope(asked));
    }
    expect(api.asked.find(isScope)?.query).toContain("sum by (app, route)");
  });

  it("asks nothing of others where the server leaves it none", async () => {
    const api = new FakeApi(undefined, undefined, { namespaceLabel: "ns" });
    await new EvidenceReader(api).read(query({ ratio: RATIO }, { namespaceLabel: "ns" }), QUESTION, never);
    expect(api.asked.filter(isScope)).toEqual([]);
  });

  it("tells each pod's requests by interval, without resets and first sights", async () => {
    const api = new FakeApi((asked) => {
      if (!isPods(asked)) return NOTHING;
      const of = (pod: string, role: string, values: readonly (number | undefined)[]) =>
        counter({ pod, [ROLE]: role }, asked.step, values);
      return {
        kind: "Ok",
        value: [
          of("api-old6-aaaaa", "total", [100, 200, 300, 300]),
          of("api-new7-bbbbb", "total", [undefined, 50, 150, 20]),
          of("api-new7-bbbbb", "bad", [undefined, undefined, 40, 5]),
          of("other-abc-ccccc", "total", [1, 2, 3, 4]),
        ],
      };
    });
    const { pods } = await new EvidenceReader(api).read(
      query({ ratio: RATIO, match: { app: "api" } }),
      QUESTION,
      never,
    );
    const step = pods?.stepMs ?? 0;
    expect(pods?.limit).toBe(0.1);
    expect(pods?.pods).toEqual([
      {
        pod: "api-old6-aaaaa",
        hash: "old6",
        intervals: [
          { at: AT - 2 * step, bad: 0, total: 100 },
          { at: AT - step, bad: 0, total: 100 },
        ],
      },
      { pod: "api-new7-bbbbb", hash: "new7", intervals: [{ at: AT - step, bad: 40, total: 100 }] },
    ]);
  });

  it("counts what is missing from a share that is too low", async () => {
    const api = new FakeApi((asked) =>
      isPods(asked)
        ? {
            kind: "Ok",
            value: [
              counter({ pod: "api-new7-b", [ROLE]: "total" }, asked.step, [0, 100]),
              counter({ pod: "api-new7-b", [ROLE]: "fine" }, asked.step, [0, 70]),
            ],
          }
        : NOTHING,
    );
    const row: Row = { ...ROW, comparison: "below", threshold: 0.9 };
    const { pods } = await new EvidenceReader(api).read(
      query({ ratio: RATIO, match: { app: "api" } }),
      { ...QUESTION, row },
      never,
    );
    expect(pods?.limit).toBeCloseTo(0.1);
    expect(pods?.pods[0]?.intervals).toEqual([{ at: AT, bad: 30, total: 100 }]);
  });

  it("knows no pods where the series have no such label", async () => {
    const api = new FakeApi((asked) =>
      isPods(asked) ? { kind: "Ok", value: [counter({ [ROLE]: "total" }, asked.step, [1, 2])] } : NOTHING,
    );
    const evidence = await new EvidenceReader(api).read(query({ ratio: RATIO }), QUESTION, never);
    expect(evidence.pods).toBeUndefined();
  });

  it("reads the day before as the signal would have been read, and the neighbours without itself", async () => {
    const api = new FakeApi((asked) => {
      if (isScope(asked)) {
        const of = (role: string, app: string, at: number, value: number): Series => ({
          labels: { [ROLE]: role, ...(app === "" ? {} : { app }) },
          points: [{ at, value }],
        });
        const { start, end, step } = asked;
        return {
          kind: "Ok",
          value: [
            of("breaching", "api", end, 1),
            of("breaching", "cart", start + step, 1),
            of("breaching", "auth", start + 2 * step, 1),
            of("all", "", start, 9),
          ],
        };
      }
      if (!isPast(asked)) return NOTHING;
      return {
        kind: "Ok",
        value: [
          counter({ [ROLE]: "first" }, asked.step, [undefined, 3, 0.1]),
          counter({ [ROLE]: "second" }, asked.step, [10, 10, 0.5]),
        ],
      };
    });
    const { past, scope } = await new EvidenceReader(api).read(
      query({ ratio: RATIO, match: { app: "api" } }),
      QUESTION,
      never,
    );
    expect(past?.samples).toEqual([
      { at: AT - 2 * MINUTE, verdict: "Ok", level: 0, requests: 600 },
      { at: AT - MINUTE, verdict: "Breach", level: 0.3, requests: 600 },
    ]);
    expect(scope?.others).toBe(8);
    expect(scope?.breaching.map(({ name }) => name)).toEqual(["app=auth", "app=cart"]);
  });

  it("keeps of a healthy day what was most, and every breach with its edges", async () => {
    const day = 24 * 60;
    const busy = day - 120;
    const api = new FakeApi((asked) => {
      if (!isPast(asked)) return NOTHING;
      const isBad = (i: number): boolean => i === 600 || i === 601 || i === day - 1;
      const bad = Array.from({ length: day }, (_, i) => (isBad(i) ? 8 : 0.1));
      const total = Array.from({ length: day }, (_, i) => (i === busy ? 30 : 10));
      return {
        kind: "Ok",
        value: [
          counter({ [ROLE]: "first" }, asked.step, bad),
          counter({ [ROLE]: "second" }, asked.step, total),
        ],
      };
    });
    const { past } = await new EvidenceReader(api).read(
      query({ ratio: RATIO, match: { app: "api" } }),
      QUESTION,
      never,
    );
    const samples = past?.samples ?? [];
    expect(samples.length).toBeLessThan(360);
    expect(samples.map(({ requests }) => requests)).toContain(1_800);
    const first = samples.findIndex(({ verdict }) => verdict === "Breach");
    expect(samples.slice(first - 1, first + 3).map(({ verdict }) => verdict)).toEqual([
      "Ok",
      "Breach",
      "Breach",
      "Ok",
    ]);
  });

  it.each([
    ["pods", isPods],
    ["past", isPast],
    ["scope", isScope],
  ])("says what failed: %s", async (_, isIt) => {
    const api = new FakeApi((asked) => (isIt(asked) ? failed("HttpError") : healthy(asked)));
    const evidence = await new EvidenceReader(api).read(
      query({ ratio: RATIO, match: { app: "api" } }),
      QUESTION,
      never,
    );
    expect(evidence.failed).toBe("it said HttpError");
  });

  it.each([
    ["a week ago is more than many servers keep", isLastWeek, "BadData"],
    ["thousands of pods are too many to look at", isPods, "TooLarge"],
  ] as const)("does not call it a failure when %s", async (_, isIt, kind) => {
    const api = new FakeApi((asked) => (isIt(asked) ? failed(kind) : healthy(asked)));
    const evidence = await new EvidenceReader(api).read(
      query({ ratio: RATIO, match: { app: "api" } }),
      QUESTION,
      never,
    );
    expect(evidence.failed).toBeUndefined();
    expect(evidence.past).toBeDefined();
  });

  it("gives up before the server's timeout, so that a slow answer does not open its breaker", async () => {
    const api = new FakeApi(undefined, undefined, { timeoutMs: 50 });
    api.range = (_query, _start, _end, _step, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const evidence = await new EvidenceReader(api).read(query({ ratio: RATIO }), QUESTION, never);
    expect(evidence.failed).toBe('Prometheus server "main" did not answer in time');
  });

  it("rejects when its caller gives up", async () => {
    const caller = new AbortController();
    const api = new FakeApi(() => new Promise(() => undefined));
    api.range = (_query, _start, _end, _step, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const reading = new EvidenceReader(api).read(
      query({ ratio: RATIO, match: { app: "api" } }),
      QUESTION,
      caller.signal,
    );
    caller.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });

  it("asks once for what many want to know of the others", async () => {
    const { promise: release, resolve } = Promise.withResolvers<void>();
    const api = new FakeApi(() => release.then(() => NOTHING));
    const reader = new EvidenceReader(api);
    const reading = ["one", "two", "three"].map((app) =>
      reader.read(query({ ratio: RATIO, match: { app } }), QUESTION, never),
    );
    resolve();
    await Promise.all(reading);
    expect(api.asked.filter(isScope)).toHaveLength(1);
  });

  it("knows the past of a query of one's own, and nothing of one of its parts", async () => {
    const api = new FakeApi((asked) =>
      isPast(asked) ? { kind: "Ok", value: [counter({}, asked.step, [0.2])] } : NOTHING,
    );
    const evidence = await new EvidenceReader(api).read(query({ query: "my:ratio" }), QUESTION, never);
    expect(evidence.past?.samples.at(-1)).toEqual({ at: AT, verdict: "Breach", level: 0.2 });
    expect(api.asked.map(({ query: text }) => text)).toEqual(["my:ratio", "my:ratio"]);
    const parted = await new EvidenceReader(new FakeApi()).read(
      query({ query: "my:ratio", by: ["route"] }),
      { ...QUESTION, part: "route=/" },
      never,
    );
    expect(parted).toEqual({});
  });
});
