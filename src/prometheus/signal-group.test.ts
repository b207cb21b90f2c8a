import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Reading } from "../decision/sample.ts";
import { Sampler } from "./sampler.ts";
import type { Membership } from "./signal-group.ts";
import { buildSignalQuery, type FormQuery, type SignalSpec } from "./signal-query.ts";
import { failed, modelServer, type ModelSeries } from "./testing/model-server.ts";

const { signal } = new AbortController();
const STEP = 1_000;
const SERVER = { name: "model", url: "http://x", timeoutMs: 1, scrapeIntervalMs: 1_000 };

type Match = Readonly<Record<string, string>>;

function formQuery(prometheus: Omit<SignalSpec["prometheus"], "minimumRequests">): FormQuery {
  const built = buildSignalQuery(
    { name: "s", prometheus: { minimumRequests: 10, ...prometheus } },
    SERVER,
    "shop",
  );
  if (built.kind === "Refused" || built.value.kind === "query") throw new Error("not a form");
  return built.value;
}

function ratioOf(match: Match, by?: readonly string[]): FormQuery {
  return formQuery({ match, ratio: { bad: 'r{code=~"5.."}', total: "r", window: "10s", by } });
}

function quantileOf(match: Match, by?: readonly string[]): FormQuery {
  return formQuery({ match, quantile: { quantile: "0.9", histogram: "h", window: "10s", by } });
}

function steady(metric: string, labels: Match, value: number): ModelSeries {
  return { metric, labels, valueAt: () => value };
}

/** Healthy services `web-0`, `web-1`, ... in namespace shop. */
function services(count: number) {
  const names = Array.from({ length: count }, (_, index) => `web-${index}`);
  const series = names.flatMap((app, index) => [
    steady("r", { namespace: "shop", app, code: "200" }, 10),
    steady("r", { namespace: "shop", app, code: "500" }, index),
  ]);
  const queries = names.map((app) => ratioOf({ namespace: "shop", app }));
  return { series, queries };
}

function joined(count: number) {
  const { series, queries } = services(count);
  const server = modelServer(series);
  const sampler = new Sampler(server, { monotonic: () => 0 });
  return { server, sampler, members: queries.map((query) => sampler.join(query, "row")) };
}

function readAll(members: readonly Membership[], at: number): Promise<readonly Reading[]> {
  return Promise.all(members.map((member) => member.read(at, signal)));
}

function kindsOf(readings: readonly Reading[]): readonly string[] {
  return [...new Set(readings.map(({ kind }) => kind))].toSorted();
}

function about(app: string) {
  return new RegExp(`[=~"|]${app}["|]`);
}

describe("what a group reads", () => {
  const value = fc.oneof(
    fc.constantFrom("a", "b", "a|b", "a.b", "axb", "", "^a$", 'q"\\', "ü\n", "(", "a,b", "[a-b]", "a+"),
    fc.string({ maxLength: 4, unit: "grapheme" }),
  );
  const target = fc.record({ namespace: value, app: value });
  const number = fc.option(
    fc.oneof(fc.constantFrom(0, 1, 5, Number.NaN), fc.double({ min: 0, max: 50, noNaN: true })),
    {
      nil: undefined,
    },
  );
  const series = fc.record({
    metric: fc.constantFrom("r", "h_bucket", "h_count"),
    target,
    code: fc.constantFrom("200", "500", "503", undefined),
    route: fc.constantFrom("/", "/models", "/a,b", undefined),
    le: fc.constantFrom("1", "+Inf"),
    values: fc.array(number, { minLength: 4, maxLength: 4 }),
  });
  const form = fc.constantFrom(
    (match: Match) => ratioOf(match),
    (match: Match) => ratioOf(match, ["route"]),
    (match: Match) => quantileOf(match),
    (match: Match) => quantileOf(match, ["route", "code"]),
  );

  it("is what each of them reads alone, at every instant and over the past", async () => {
    await fc.assert(
      fc.asyncProperty(
        form,
        fc.array(target, { minLength: 1, maxLength: 12 }),
        fc.array(series, { maxLength: 40 }),
        async (build, targets, given) => {
          // Series of the targets asked for, and of others that share some of their labels.
          const model = given.map(({ metric, target: own, values, ...labels }, index): ModelSeries => {
            const { namespace, app } = index % 4 === 0 ? own : (targets[index % targets.length] ?? own);
            const le = metric === "h_bucket" ? labels.le : undefined;
            const all = { namespace, app, code: labels.code, route: labels.route, le };
            const set = Object.entries(all).filter(([, text]) => text !== undefined && text !== "");
            return {
              metric,
              labels: Object.fromEntries(set) as Match,
              valueAt: (at) => values[at / STEP],
            };
          });
          const server = modelServer(model);
          const together = new Sampler(server, { monotonic: () => 0 });
          const alone = new Sampler(modelServer(model), { monotonic: () => 0 });
          const queries = targets.map(build);
          const members = queries.map((query) => together.join(query, "row"));
          for (let at = 0; at < 4 * STEP; at += STEP) {
            const singly = await Promise.all(queries.map((query) => alone.sample(query, at, signal)));
            expect(await readAll(members, at)).toEqual(singly);
          }
          const range = { start: 0, end: 3 * STEP, step: STEP };
          const past = await Promise.all(members.map((member) => member.readPast(range, signal)));
          expect(past).toEqual(
            await Promise.all(queries.map((query) => alone.sampleRange(query, range, signal))),
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  it("takes two queries for all of them, however many read", async () => {
    const { server, members } = joined(500);
    const readings = await readAll(members, STEP);
    expect(readings[30]).toEqual({ kind: "Value", value: 0.75, requests: 400 });
    expect(kindsOf(readings)).toEqual(["Value"]);
    expect(server.asked).toHaveLength(2);
    // Whoever reads later in the interval gets his part of the same answer.
    expect(await members[7]?.read(STEP, signal)).toEqual(readings[7]);
    expect(server.asked).toHaveLength(2);
    await readAll(members, 2 * STEP);
    expect(server.asked).toHaveLength(4);
  });

  it("asks once for who joins after the instant was asked for, and for all at the next", async () => {
    const { server, sampler, members } = joined(20);
    await readAll(members, STEP);
    const late = ["web-3", "web-4"].map((app) => sampler.join(ratioOf({ namespace: "shop", app }), "row"));
    expect(kindsOf(await readAll(late, STEP))).toEqual(["Value"]);
    expect(server.asked).toHaveLength(4);
    expect(server.asked[3]).not.toMatch(about("web-5"));
    await readAll([...members, ...late], 2 * STEP);
    expect(server.asked).toHaveLength(6);
  });

  it("does not ask for those who left, nor for long for those who do not read", async () => {
    const { server, members } = joined(3);
    const reading = members.slice(1, 2);
    await readAll(reading, 0);
    expect(server.asked[0]).not.toMatch(about("web-2"));
    members[0]?.leave();
    await readAll(members.slice(1), STEP);
    for (let at = 2 * STEP; at <= 20 * STEP; at += STEP) await readAll(reading, at);
    expect(server.asked.some((query) => about("web-0").test(query))).toBe(false);
    expect(server.asked.at(-1)).toMatch(about("web-2"));
    await readAll(reading, 21 * STEP);
    expect(server.asked.at(-1)).not.toMatch(about("web-2"));
    expect(kindsOf(await readAll(members.slice(1), 22 * STEP))).toEqual(["Value"]);
  });

  it("has one question under way, and gives up what nobody waits for", async () => {
    const { server, members } = joined(5);
    const gate = Promise.withResolvers<void>();
    const { instant } = server;
    let running = 0;
    let most = 0;
    let aborted = 0;
    server.instant = async (query, at, abort) => {
      running += 1;
      most = Math.max(most, running);
      abort.addEventListener("abort", () => (aborted += 1));
      await Promise.race([gate.promise, new Promise((resolve) => abort.addEventListener("abort", resolve))]);
      running -= 1;
      return instant(query, at, abort);
    };
    const caller = new AbortController();
    const givenUp = members.map((member) => member.read(STEP, caller.signal));
    const settled = Promise.allSettled(givenUp);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const next = readAll(members, 2 * STEP);
    caller.abort(new Error("stopped"));
    expect((await settled).every(({ status }) => status === "rejected")).toBe(true);
    gate.resolve();
    expect(kindsOf(await next)).toEqual(["Value"]);
    expect(aborted).toBe(2);
    expect(most).toBe(2);
  });
});

describe("a question that fails", () => {
  it("for one of them is asked in halves until he stands apart, and the others stay together", async () => {
    const { server, members } = joined(100);
    server.fault = (query) =>
      about("web-42").test(query) ? failed("BadData", "too many samples") : undefined;
    const first = await readAll(members, STEP);
    expect(first[42]).toEqual({ kind: "Error", detail: "too many samples" });
    expect(kindsOf(first.toSpliced(42, 1))).toEqual(["Value"]);
    const halving = server.asked.length;
    expect(halving).toBeLessThan(2 * 2 * 8 + 4);
    await readAll(members, 2 * STEP);
    // The others by one question; the one apart is left alone for half a minute.
    expect(server.asked.length - halving).toBe(2);
    expect(server.asked.at(-1)).not.toMatch(about("web-42"));
    const later = await readAll(members, 32 * STEP);
    expect(later[42]).toEqual(first[42]);
    expect(server.asked.length - halving).toBe(6);
    server.fault = () => undefined;
    // Twice as long after the second failure.
    expect((await readAll(members, 62 * STEP))[42]?.kind).toBe("Error");
    expect((await readAll(members, 95 * STEP))[42]?.kind).toBe("Value");
    const mended = server.asked.length;
    expect(kindsOf(await readAll(members, 96 * STEP))).toEqual(["Value"]);
    expect(server.asked.length - mended).toBe(2);
  });

  it("for several of them leaves only these apart", async () => {
    const { server, members } = joined(64);
    const guilty = [3, 4, 40];
    server.fault = (query) =>
      guilty.some((index) => about(`web-${index}`).test(query))
        ? failed("Partial", "a bucket is malformed")
        : undefined;
    // A search that takes more questions than one instant allows goes on at the next.
    await readAll(members, STEP);
    const readings = await readAll(members, 2 * STEP);
    expect(readings.flatMap(({ kind }, index) => (kind === "Error" ? [index] : []))).toEqual(guilty);
  });

  it.each(["Timeout", "Unreachable", "HttpError", "Garbage", "ClockSkew", "CircuitOpen"] as const)(
    "by %s is not asked again: the server is in trouble",
    async (kind) => {
      const { server, members } = joined(50);
      server.fault = () => failed(kind, "down");
      const readings = await readAll(members, STEP);
      expect(readings.every((reading) => reading.kind === "Error" && reading.detail === "down")).toBe(true);
      expect(server.asked).toHaveLength(2);
      server.fault = () => undefined;
      expect(kindsOf(await readAll(members, 2 * STEP))).toEqual(["Value"]);
    },
  );

  it("even about nobody is nobody's fault: it is not halved", async () => {
    const { server, members } = joined(50);
    server.fault = () => ({
      kind: "Failed",
      error: { kind: "BadData", message: "unknown function", isInvalidQuery: true },
    });
    const readings = await readAll(members, STEP);
    expect(readings[49]).toEqual({ kind: "Error", detail: "unknown function", isInvalidQuery: true });
    expect(server.asked).toHaveLength(4);
  });

  it("because its answer is too large is asked in parts from then on", async () => {
    const { server, members } = joined(100);
    server.fault = (_, found) => (found.length > 30 ? failed("TooLarge") : undefined);
    expect(kindsOf(await readAll(members, STEP))).toEqual(["Value"]);
    const before = server.asked.length;
    expect(kindsOf(await readAll(members, 2 * STEP))).toEqual(["Value"]);
    expect(server.asked.length - before).toBe(2 * 4);
  });

  it("about the past is halved too, and a server in trouble leaves it unknown", async () => {
    const { server, members } = joined(40);
    const range = { start: 0, end: 10 * STEP, step: STEP };
    const past = () => Promise.all(members.map((member) => member.readPast(range, signal)));
    server.fault = (query) => (about("web-7").test(query) ? failed("BadData") : undefined);
    const outcomes = (await past()).map(({ kind }) => kind);
    expect(outcomes.flatMap((kind, index) => (kind === "Failed" ? [index] : []))).toEqual([7]);
    server.fault = () => failed("Timeout");
    const asked = server.asked.length;
    expect(new Set((await past()).map(({ kind }) => kind))).toEqual(new Set(["Failed"]));
    expect(server.asked.length - asked).toBe(2);
  });
});

describe("targets with several labels", () => {
  /** 60 namespaces, each with 60 applications, of which one each is asked for. */
  const names = Array.from({ length: 60 }, (_, index) => `n${index}`);
  const series = names.flatMap((namespace) =>
    names.map((app) => steady("r", { namespace, app, code: "500" }, namespace === app ? 10 : 99)),
  );

  it("are asked for exactly once a wide question has found many that nobody asked for", async () => {
    const server = modelServer(series);
    const sampler = new Sampler(server, { monotonic: () => 0 });
    const members = names.map((name) => sampler.join(ratioOf({ namespace: name, app: name }), "row"));
    let found = 0;
    server.fault = (_, elements) => {
      found = elements.length;
      return undefined;
    };
    const first = await readAll(members, STEP);
    expect(found).toBe(3_600);
    expect(await readAll(members, 2 * STEP)).toEqual(first);
    expect(found).toBe(60);
    expect(first.every((reading) => reading.kind === "Value" && reading.requests === 100)).toBe(true);
  });

  it("are asked for exactly at once where the wide answer is too large", async () => {
    const server = modelServer(series);
    const sampler = new Sampler(server, { monotonic: () => 0 });
    const members = names.map((name) => sampler.join(ratioOf({ namespace: name, app: name }), "row"));
    server.fault = (_, elements) => (elements.length > 100 ? failed("TooLarge") : undefined);
    expect(kindsOf(await readAll(members, STEP))).toEqual(["Value"]);
    expect(server.asked).toHaveLength(4);
  });
});

describe("an answer that is not what was asked for", () => {
  it("twice for one of them is Ambiguous for him alone", async () => {
    const { server, members } = joined(4);
    server.fault = (_, found) => ({
      kind: "Ok",
      value: [...found, ...found.filter(({ labels }) => labels["app"] === "web-2")],
    });
    const readings = await readAll(members, STEP);
    expect(readings.map(({ kind }) => kind)).toEqual(["Value", "Value", "Ambiguous", "Value"]);
  });

  it("with other labels is no data", async () => {
    const { server, members } = joined(4);
    server.fault = (_, found) => ({
      kind: "Ok",
      value: found.map(({ labels, ...rest }) => ({ ...rest, labels: { ...labels, pod: "a" } })),
    });
    expect(kindsOf(await readAll(members, STEP))).toEqual(["NoData"]);
  });
});

describe("proofs", () => {
  it("are asked for together, and not again for those of whom they were seen", async () => {
    const names = Array.from({ length: 200 }, (_, index) => `web-${index}`);
    // Every second one has no label `code` at all.
    const series = names.map((app, index) =>
      steady("r", { app, ...(index % 2 === 0 ? { code: "200" } : {}) }, 10),
    );
    const server = modelServer(series);
    const sampler = new Sampler(server, { monotonic: () => 0 });
    const members = names.map((app) => sampler.join(ratioOf({ app }), "row"));
    const readings = await readAll(members, STEP);
    expect(readings.map(({ kind }) => kind)).toEqual(
      names.map((_, index) => (index % 2 === 0 ? "Value" : "Unproven")),
    );
    expect(readings[1]).toMatchObject({
      detail: 'no series of r{app="web-1"} has the label "code" that ratio.bad names',
    });
    expect(server.asked).toHaveLength(3);
    await readAll(members, 2 * STEP);
    expect(server.asked).toHaveLength(6);
    expect(server.asked.at(-1)).not.toMatch(about("web-0"));
  });
});

describe("the past of many", () => {
  it("is asked for together, in answers of bounded size", async () => {
    const { server, members } = joined(40);
    const range = { start: 0, end: 1_999 * STEP, step: STEP };
    const past = await Promise.all(members.map((member) => member.readPast(range, signal)));
    expect(past.every(({ kind }) => kind === "Ok")).toBe(true);
    // 30 targets of 2,000 steps, and the other 10.
    expect(server.asked).toHaveLength(4);
  });
});
