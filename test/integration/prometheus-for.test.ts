import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Agent } from "undici";
import { verdictOf, type Row } from "../../src/decision/row.ts";
import { WHOLE, type TimedSample, type Verdict } from "../../src/decision/sample.ts";
import { emptyWindow, fires, observe } from "../../src/decision/window.ts";
import { PrometheusClient } from "../../src/prometheus/client.ts";
import { Sampler } from "../../src/prometheus/sampler.ts";
import { buildSignalQuery, type FormQuery } from "../../src/prometheus/signal-query.ts";
import { promtool, startPrometheus, type Prometheus } from "../support/prometheus.ts";
import { remoteWrite } from "../support/remote-write.ts";

/**
 * `for` against the real thing: the same thousands of series are given to Prometheus' own alerting rules (through
 * `promtool test rules`, the rule engine with a clock of its own) and, in a real server, to our signals and windows.
 */

const STEP = 1_000;
const LENGTH = 60;
const WINDOW_S = 4;
const THRESHOLD = 0.1;
const FOR_S = [0, 3, 7];
const SERVICES = { gapless: 2_500, gappy: 500 };
const ZERO = Math.floor(Date.now() / STEP) * STEP - 20 * 60_000;
const { signal } = new AbortController();
const clock = { monotonic: () => performance.now() };
const agent = new Agent();

/** What one service counts in each second; undefined: nobody scraped it then. */
interface Service {
  readonly app: string;
  readonly bad: readonly (number | undefined)[];
  readonly all: readonly (number | undefined)[];
}

let folder = "";
let prometheus: Prometheus;

/** Stretches of health, near misses, the threshold itself and breaches, each some seconds long. */
function generated(count: number, prefix: string, gaps: fc.Arbitrary<number>): readonly Service[] {
  const stretch = fc.record({
    badPerSecond: fc.constantFrom(0, 0, 9, 10, 11, 50),
    seconds: fc.integer({ min: 1, max: 12 }),
    gap: gaps,
  });
  const stretches = fc.array(stretch, { minLength: LENGTH, maxLength: LENGTH });
  return fc.sample(stretches, { numRuns: count, seed: 7 }).map((list, index) => {
    const bad: (number | undefined)[] = [];
    const all: (number | undefined)[] = [];
    let failed = 0;
    for (const { badPerSecond, seconds, gap } of list) {
      for (let second = 0; second < seconds; second += 1) {
        failed += badPerSecond;
        const missed = second >= seconds - gap;
        bad.push(missed ? undefined : failed);
        all.push(missed ? undefined : 100 * (all.length + 1));
      }
    }
    return { app: `${prefix}-${index}`, bad: bad.slice(0, LENGTH), all: all.slice(0, LENGTH) };
  });
}

const gapless = generated(SERVICES.gapless, "gapless", fc.constant(0));
const gappy = generated(SERVICES.gappy, "gappy", fc.constantFrom(0, 0, 4, 5, 6, 8));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prometheus-for-"));
  prometheus = await startPrometheus({
    dir: folder,
    listen: "127.0.0.1:0",
    configText: "global: {}\n",
    args: ["--web.enable-remote-write-receiver"],
  });
  const written = [...gapless, ...gappy].flatMap(({ app, bad, all }) => [
    { labels: { __name__: "bad_total", app }, samples: timed(bad) },
    { labels: { __name__: "all_total", app }, samples: timed(all) },
  ]);
  await remoteWrite(prometheus.url, written);
}, 90_000);

afterAll(async () => {
  await prometheus?.stop();
  await agent.destroy();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

function timed(values: readonly (number | undefined)[]) {
  return values.flatMap((value, second) =>
    value === undefined ? [] : [{ at: ZERO + second * STEP, value }],
  );
}

/** Our samples of every service at every second, read together from the real server. */
async function samplesOf(services: readonly Service[]): Promise<readonly (readonly TimedSample[])[]> {
  const server = { name: "main", url: prometheus.url, timeoutMs: 30_000, scrapeIntervalMs: STEP };
  const sampler = new Sampler(new PrometheusClient(server, agent, clock), clock);
  const range = { start: ZERO, end: ZERO + (LENGTH - 1) * STEP, step: STEP };
  const past = await Promise.all(
    services.map(({ app }, index) =>
      sampler.join(queryOf(app, server), `row ${Math.floor(index / 500)}`).readPast(range, signal),
    ),
  );
  return past.map((each) => {
    if (each.kind === "Failed") throw new Error(each.error.message);
    return each.value.get(WHOLE) ?? [];
  });
}

function queryOf(app: string, server: Parameters<typeof buildSignalQuery>[1]): FormQuery {
  const ratio = { bad: "bad_total", total: "all_total", window: `${WINDOW_S}s` };
  const spec = { name: "s", prometheus: { match: { app }, ratio, minimumRequests: 1 } };
  const built = buildSignalQuery(spec, server, "shop");
  if (built.kind === "Refused" || built.value.kind === "query") throw new Error("not a ratio");
  return built.value;
}

function row(forS: number): Row {
  return {
    name: "row",
    signal: "s",
    unit: "ratio",
    comparison: "above",
    threshold: THRESHOLD,
    forMs: forS * STEP,
    severity: "SEV1",
    action: "Rollback",
    plan: "application",
    expiresAfterMs: 1_800_000,
  };
}

/** Seconds at which our row fires. */
function ours(samples: readonly TimedSample[], forS: number): readonly number[] {
  const of = row(forS);
  let window = emptyWindow();
  return samples.flatMap(({ at, sample }) => {
    window = observe(window, at, verdictOf(of, sample), STEP);
    return fires(window, of.forMs) ? [(at - ZERO) / STEP] : [];
  });
}

/** promtool's engine holds no more than 10,000 samples at a time. */
const SERVICES_PER_TEST = 500;

/** Has Prometheus' rules say that each alert fires in exactly these seconds. */
async function rulesAgree(
  services: readonly Service[],
  firing: (index: number, forS: number) => readonly number[],
): Promise<string> {
  const rules = FOR_S.map((seconds) => ({
    alert: `For${seconds}`,
    expr: `sum by (app) (rate(bad_total[${WINDOW_S}s])) / sum by (app) (rate(all_total[${WINDOW_S}s])) > ${THRESHOLD}`,
    for: `${seconds}s`,
  }));
  const text = (values: readonly (number | undefined)[]) => values.map((value) => value ?? "_").join(" ");
  const tests = [];
  for (let from = 0; from < services.length; from += SERVICES_PER_TEST) {
    const some = services.slice(from, from + SERVICES_PER_TEST);
    const expected = Array.from({ length: LENGTH }, (): object[] => []);
    const pairs = FOR_S.flatMap((forS) => some.map(({ app }, index) => ({ forS, app, index })));
    for (const { forS, app, index } of pairs) {
      const labels = `ALERTS{alertname="For${forS}",alertstate="firing",app="${app}"}`;
      for (const second of firing(from + index, forS)) expected[second]?.push({ labels, value: 1 });
    }
    tests.push({
      interval: "1s",
      input_series: some.flatMap(({ app, bad, all }) => [
        { series: `bad_total{app="${app}"}`, values: text(bad) },
        { series: `all_total{app="${app}"}`, values: text(all) },
      ]),
      promql_expr_test: expected.map((samples, second) => ({
        expr: 'ALERTS{alertstate="firing"}',
        eval_time: `${second}s`,
        exp_samples: samples,
      })),
    });
  }
  const test = { rule_files: ["rules.yml"], evaluation_interval: "1s", tests };
  await writeFile(
    join(folder, "rules.yml"),
    JSON.stringify({ groups: [{ name: "g", interval: "1s", rules }] }),
  );
  await writeFile(join(folder, "test.yml"), JSON.stringify(test));
  return await promtool(["test", "rules", "test.yml"], folder);
}

/** The same by its words: a breach at every evaluation over at least `for`, up to `tolerated` unseen in between. */
function oracle(verdicts: readonly Verdict[], forS: number, tolerated: number): readonly number[] {
  return verdicts.flatMap((verdict, second) => {
    if (verdict !== "Breach") return [];
    let since = second;
    for (let before = second - 1, unseen = 0; before >= 0 && unseen <= tolerated; before -= 1) {
      if (verdicts[before] === "Ok") break;
      unseen = verdicts[before] === "None" ? unseen + 1 : 0;
      if (verdicts[before] === "Breach") since = before;
    }
    return second - since >= forS ? [second] : [];
  });
}

describe("a row with `for`", () => {
  it("fires at the very instants at which a Prometheus alerting rule fires, on thousands of series without gaps", async () => {
    const samples = await samplesOf(gapless);
    const firing = new Map(FOR_S.map((forS) => [forS, samples.map((each) => ours(each, forS))]));
    for (const each of firing.values()) {
      expect(each.filter((seconds) => seconds.length > 0).length).toBeGreaterThan(SERVICES.gapless / 10);
    }
    expect(await rulesAgree(gapless, (index, forS) => firing.get(forS)?.[index] ?? [])).toMatch(/SUCCESS/);
  }, 100_000);

  it("is held against Prometheus by a comparison that can fail", async () => {
    const few = gapless.slice(0, 20);
    const samples = await samplesOf(few);
    const late = (index: number, forS: number) =>
      ours(samples[index] ?? [], forS).slice(index === 3 && forS === 3 ? 1 : 0);
    expect(ours(samples[3] ?? [], 3)).not.toEqual([]);
    await expect(rulesAgree(few, late)).rejects.toThrow(/gapless-3\b/);
  }, 60_000);

  it("with gaps deviates as it says: Prometheus begins anew after any gap, a row after more than two unseen", async () => {
    const samples = await samplesOf(gappy);
    const verdicts = samples.map((each) => each.map(({ sample }) => verdictOf(row(0), sample)));
    let bridged = 0;
    for (const forS of FOR_S) {
      for (const [index, list] of verdicts.entries()) {
        const fired = ours(samples[index] ?? [], forS);
        const strict = new Set(oracle(list, forS, 0));
        expect(fired).toEqual(oracle(list, forS, 2));
        // Never less than Prometheus, and what is more stands behind a gap that was borne.
        expect(fired).toEqual(expect.arrayContaining([...strict]));
        bridged += fired.filter((second) => !strict.has(second)).length;
      }
    }
    expect(bridged).toBeGreaterThan(100);
    expect(await rulesAgree(gappy, (index, forS) => oracle(verdicts[index] ?? [], forS, 0))).toMatch(
      /SUCCESS/,
    );
  }, 60_000);
});
