import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "undici";
import { attribute, type Attribution } from "../../src/decision/attribution/attribute.ts";
import type { Evidence } from "../../src/decision/attribution/evidence.ts";
import type { Release } from "../../src/decision/release.ts";
import { verdictOf, type Row } from "../../src/decision/row.ts";
import { WHOLE } from "../../src/decision/sample.ts";
import { emptyWindow, fires, observe } from "../../src/decision/window.ts";
import { PrometheusClient } from "../../src/prometheus/client.ts";
import { Sampler } from "../../src/prometheus/sampler.ts";
import { buildSignalQuery, type SignalQuery, type SignalSpec } from "../../src/prometheus/signal-query.ts";
import { linesOf, rolledOut, standing, type Service } from "../support/attribution-world.ts";
import { promtool, startPrometheus, type Prometheus } from "../support/prometheus.ts";

/** Breaches with known causes on a real Prometheus, asked for and judged as the operator does it. */

const MINUTE = 60;
const HOUR = 3_600;
/** The release of every world, in seconds since its beginning. */
const RELEASE = 26 * HOUR;
const END = RELEASE + HOUR;
const INTERVAL_MS = 15_000;
const ZERO = Math.floor(Date.now() / 15_000) * 15 - END - HOUR;
const signal = new AbortController().signal;
const clock = { monotonic: () => performance.now() };
const agent = new Agent();

const ROW: Row = {
  name: "errors",
  signal: "error-rate",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 120_000,
  severity: "SEV1",
  action: "Rollback",
  plan: "application",
  expiresAfterMs: 1_800_000,
};

/** A day before the release, in steps that an hour of it would be too long to write. */
const DAY = RELEASE - 25 * HOUR;
const HOURS = RELEASE - 2 * HOUR;
const steady = (): number => 100;
const baseline = (): number => 0.002;
const isWithin = (second: number, from: number, length: number): boolean =>
  second >= from && second < from + length;

function service(namespace: string, change: Partial<Service> = {}): Service {
  return {
    namespace,
    app: "api",
    pods: rolledOut(standing("api", "old6"), "api", "new7", RELEASE),
    rps: steady,
    bad: baseline,
    since: HOURS,
    ...change,
  };
}

function neighbour(namespace: string, app: string, change: Partial<Service> = {}): Service {
  return { ...service(namespace), app, pods: standing(app, "same1", 2), ...change };
}

/** Of requests to pods of a template, from their first one on. */
function brokenIn(hash: string, share: number): Service["bad"] {
  return (_, pod) => (pod.name.includes(`-${hash}-`) ? share : 0.002);
}

function brokenFrom(from: number, share: number, length = Infinity): Service["bad"] {
  return (second) => (isWithin(second, from, length) ? share : 0.002);
}

/** For some minutes every two hours. */
function isNoisy(second: number): boolean {
  return isWithin((second - RELEASE - 300 + 48 * HOUR) % (2 * HOUR), 0, 400);
}

interface Scenario {
  readonly services: readonly Service[];
  readonly verdict: Attribution["verdict"];
  readonly says: string;
  readonly row?: Partial<Row>;
  readonly prometheus?: Partial<SignalSpec["prometheus"]>;
  readonly part?: string;
  readonly previous?: readonly Release[];
  readonly live?: Release;
  readonly otherHashes?: readonly string[];
}

const LATENCY: Pick<Scenario, "row" | "prometheus"> = {
  row: { unit: "seconds", threshold: 2 },
  prometheus: { quantile: { quantile: "0.95", histogram: "seconds", window: "1m" } },
};

const leak = (second: number): number => 0.002 + Math.max(0, (second - RELEASE - 5 * MINUTE) / 900);
const three = rolledOut(
  rolledOut(standing("api", "old5"), "api", "old6", RELEASE - 6 * MINUTE),
  "api",
  "new7",
  RELEASE,
  15,
);

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "a bad release while it rolls out": {
    services: [service("a1", { bad: brokenIn("new7", 0.23) }), neighbour("a1", "b")],
    verdict: "Caused",
    says: "after revision 7 started; new pods 23% vs old pods 0.2%: caused by revision 7",
  },
  "one bad route of it": {
    services: [
      service("a2", { bad: brokenIn("new7", 0.6), route: "/models" }),
      service("a2", { route: "/other" }),
    ],
    prometheus: { ratio: { ...ratio(), by: ["route"] } },
    part: "route=/models",
    verdict: "Caused",
    says: "new pods 60% vs old pods 0.2%: caused by revision 7",
  },
  "a slow release": {
    services: [service("a3", { bad: brokenIn("new7", 0.4) })],
    ...LATENCY,
    verdict: "Caused",
    says: "new pods 40% vs old pods 0.2% slower than 1s: caused by revision 7",
  },
  "a dependency that breaks 30 s after the release": {
    services: [
      service("b1", { bad: brokenFrom(RELEASE + 30, 0.7) }),
      neighbour("b1", "b", { bad: brokenFrom(RELEASE + 30, 0.5) }),
      neighbour("b1", "c", { bad: brokenFrom(RELEASE + 30, 0.5) }),
    ],
    verdict: "Unknown",
    says: "old and new pods breach alike",
  },
  "the same, and the series know no pods": {
    services: [
      service("b2", { bad: brokenFrom(RELEASE + 30, 0.7), hasNoPodLabel: true }),
      neighbour("b2", "b", { bad: brokenFrom(RELEASE + 30, 0.5) }),
      neighbour("b2", "c", { bad: brokenFrom(RELEASE + 30, 0.5) }),
      neighbour("b2", "d"),
    ],
    verdict: "Unknown",
    says: "2 other workloads began to breach at the same time (app=b, namespace=b2; app=c, namespace=b2): looks like a shared dependency",
  },
  "a dependency that breaks 10 minutes after a slow database broke another": {
    services: [
      service("b3", { bad: brokenFrom(RELEASE + 600, 0.7) }),
      neighbour("b3", "b", { bad: brokenFrom(RELEASE + 570, 0.5) }),
      neighbour("b3", "c"),
    ],
    verdict: "Unknown",
    says: "1 other workload",
  },
  "a neighbour that releases at the same time and stays well": {
    services: [
      service("b4", { bad: brokenIn("new7", 0.3) }),
      neighbour("b4", "b", { pods: rolledOut(standing("b", "x1", 2), "b", "x2", RELEASE + 10) }),
    ],
    verdict: "Caused",
    says: "caused by revision 7",
  },
  "a node with one of the pods": {
    services: [
      service("c1", {
        bad: (second, pod) => (second > RELEASE + 600 && pod.name.endsWith("new0x") ? 0.9 : 0.002),
      }),
    ],
    verdict: "Unlikely",
    says: "1 of 4 pods of revision 7 carries it, the others are healthy: look at that pod and its node",
  },
  "a nightly job": {
    services: [
      service("d1", {
        since: DAY,
        hasNoPodLabel: true,
        bad: (second) =>
          isWithin(second, RELEASE + 600, 900) || isWithin(second, RELEASE + 640 - 24 * HOUR, 900) ? 0.3 : 0,
      }),
    ],
    verdict: "Unlikely",
    says: "the same breach was there a day earlier",
  },
  "a baseline with noise like this": {
    services: [
      service("d2", {
        since: DAY,
        hasNoPodLabel: true,
        bad: (second) => (isNoisy(second) ? 0.3 : 0),
      }),
    ],
    verdict: "Unlikely",
    says: "times before revision 7",
  },
  "traffic as it never was": {
    services: [
      service("e1", {
        rps: (second) => (second > RELEASE + 600 ? 320 : 100),
        bad: brokenFrom(RELEASE + 630, 0.5),
        hasNoPodLabel: true,
      }),
    ],
    verdict: "Unknown",
    says: "times the highest healthy traffic of the",
  },
  "a release that fails under a load that the old one bore": {
    services: [
      service("e2", {
        rps: (second) => (second > RELEASE + 900 || isWithin(second, RELEASE - 3_000, 1_200) ? 300 : 100),
        bad: brokenFrom(RELEASE + 915, 0.4),
      }),
    ],
    verdict: "Likely",
    says: "at a load that older revisions carried: likely caused by revision 7",
  },
  "a leak": {
    services: [service("f1", { bad: (second) => Math.min(0.9, leak(second)) })],
    verdict: "Likely",
    says: "after revision 7 started",
  },
  "a configuration that all pods load at once": {
    services: [service("f2", { bad: brokenFrom(RELEASE + 900, 0.6) })],
    verdict: "Unknown",
    says: "and then broke at one moment",
  },
  "a bad release and another one on top of it": {
    services: [service("g1", { pods: three, bad: (_, pod) => (pod.name.includes("old5") ? 0 : 0.4) })],
    previous: [release(6, "old6", RELEASE - 6 * MINUTE)],
    otherHashes: ["old6", "old5"],
    verdict: "Caused",
    says: "new pods 40% vs old pods 0%: caused by revision 6, which revision 7 did not mend",
  },
  "a bad release and its fix on top of it": {
    services: [service("g2", { pods: three, bad: (_, pod) => (pod.name.includes("old6") ? 0.4 : 0) })],
    previous: [release(6, "old6", RELEASE - 6 * MINUTE)],
    otherHashes: ["old6", "old5"],
    verdict: "Unknown",
    says: "it is not known yet whether revision 7, which came later, mends it",
  },
  "a Prometheus that is as young as the release": {
    services: [service("h1", { since: RELEASE - 60, bad: brokenIn("new7", 0.3), hasNoPodLabel: true })],
    verdict: "Likely",
    says: "after revision 7 started",
  },
  "a query of one's own": {
    services: [
      service("h2", {
        since: DAY,
        bad: (second) => (isNoisy(second) ? 0.3 : 0),
      }),
    ],
    prometheus: {
      query:
        'sum(rate(requests_total{app="api",status=~"5.."}[1m])) / sum(rate(requests_total{app="api"}[1m]))',
    },
    verdict: "Unlikely",
    says: "times before revision 7",
  },
};

let folder = "";
let prometheus: Prometheus | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "attribution-"));
  const all = Object.values(SCENARIOS).flatMap(({ services }) => services);
  // One family after the other, as the format wants it.
  const lines = all.flatMap((each) => linesOf(each, ZERO, END)).toSorted(byFamily);
  await writeFile(join(folder, "data.om"), `${lines.join("\n")}\n# EOF\n`);
  await promtool(["tsdb", "create-blocks-from", "openmetrics", "data.om", "data"], folder);
  prometheus = await startPrometheus({ configText: "global: {}\n", dir: folder, listen: "127.0.0.1:0" });
}, 120_000);

afterAll(async () => {
  await prometheus?.stop();
  await agent.destroy();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

function byFamily(a: string, b: string): number {
  const [one, two] = [a.slice(0, a.indexOf("{")), b.slice(0, b.indexOf("{"))];
  return one < two ? -1 : one > two ? 1 : 0;
}

function ratio() {
  return { bad: 'requests_total{status=~"5.."}', total: "requests_total", window: "1m" };
}

function release(revision: number, podTemplateHash: string, startedAt: number): Release {
  return {
    replicaSetUid: `rs-${revision}`,
    revision,
    podTemplateHash,
    startedAt: (ZERO + startedAt) * 1000,
  };
}

const LIVE = release(7, "new7", RELEASE);

function samplerAt(url: string): Sampler {
  const server = {
    name: "main",
    url,
    timeoutMs: 5_000,
    scrapeIntervalMs: 15_000,
    namespaceLabel: "namespace",
  };
  return new Sampler(new PrometheusClient(server, agent, clock), clock);
}

function queryOf({ services, prometheus: change }: Scenario): SignalQuery {
  const namespace = services[0]?.namespace ?? "";
  const isFree = change?.query !== undefined;
  const spec: SignalSpec = {
    name: "s",
    unit: isFree ? "ratio" : undefined,
    prometheus: {
      minimumRequests: 50,
      ...(isFree ? {} : { match: { namespace, app: "api" } }),
      ...(change?.quantile === undefined && !isFree ? { ratio: ratio() } : {}),
      ...change,
    },
  };
  const server = {
    name: "main",
    url: "",
    timeoutMs: 0,
    scrapeIntervalMs: 15_000,
    namespaceLabel: "namespace",
  };
  const built = buildSignalQuery(spec, server, namespace);
  if (built.kind === "Refused") throw new Error(built.message);
  return built.value;
}

const SETTLED = (ZERO + RELEASE + MINUTE) * 1000;

/** The first instant at which the row fires, and what its window remembers. */
async function firing(scenario: Scenario, sampler: Sampler) {
  const row: Row = { ...ROW, ...scenario.row };
  const range = { start: (ZERO + RELEASE - 1_200) * 1000, end: (ZERO + END) * 1000, step: INTERVAL_MS };
  const past = await sampler.sampleRange(queryOf(scenario), range, signal);
  if (past.kind === "Failed") throw new Error(past.error.message);
  let window = emptyWindow();
  for (const { at, sample } of past.value.get(scenario.part ?? WHOLE) ?? []) {
    window = observe(window, at, verdictOf(row, sample), INTERVAL_MS);
    if (at >= SETTLED && fires(window, row.forMs)) return { row, at, window, onset: window.onset ?? at };
  }
  throw new Error("the row never fired");
}

async function judged(
  scenario: Scenario,
  url: string,
): Promise<{ readonly found: Attribution; readonly evidence: Evidence; readonly tookMs: number }> {
  const sampler = samplerAt(url);
  const { row, at, window, onset } = await firing(scenario, samplerAt(prometheus?.url ?? ""));
  const began = performance.now();
  const evidence = await sampler.evidence.read(
    queryOf(scenario),
    {
      at,
      onset,
      row,
      part: scenario.part ?? WHOLE,
      release: LIVE,
      otherHashes: scenario.otherHashes ?? ["old6"],
      podLabel: "pod",
    },
    signal,
  );
  const tookMs = performance.now() - began;
  const found = attribute({
    release: LIVE,
    previous: scenario.previous ?? [],
    evidence,
    onset,
    healthyAt: window.healthyAt,
    lookbackMs: 3_600_000,
    toleratedGapMs: 45_000,
    now: at,
  });
  return { found, evidence, tookMs };
}

describe("attribution on a real Prometheus", () => {
  it.each(Object.entries(SCENARIOS))("%s", async (_, scenario) => {
    const { found, evidence } = await judged(scenario, prometheus?.url ?? "");
    expect(evidence.failed).toBeUndefined();
    expect([found.verdict, found.reason]).toEqual([scenario.verdict, expect.stringContaining(scenario.says)]);
  });

  it("is Unknown, with the reason, when the server does not answer", async () => {
    const scenario = SCENARIOS["a leak"];
    if (scenario === undefined) throw new Error("no such scenario");
    const { found } = await judged(scenario, "http://127.0.0.1:1");
    expect(found.verdict).toBe("Unknown");
    expect(found.reason).toContain(
      'evidence could not be read: Prometheus server "main" cannot be reached: the connection was refused',
    );
  });
});
