import { describe, expect, it } from "@jest/globals";
import { Agent } from "undici";
import { RollbackPolicySpec } from "../../crds/rollback-policy.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { PrometheusServers } from "../../prometheus/servers.ts";
import { closePolicy, compilePolicy } from "./compile.ts";

const SERVER = {
  name: "default",
  url: "http://prometheus.invalid",
  scrapeInterval: 15_000,
  timeout: 10_000,
  minimumInterval: 5_000,
  namespaceLabel: "namespace",
  headers: {},
};
const servers = new PrometheusServers([SERVER], new Agent(), { monotonic: () => 0 });

function signal(change: object = {}) {
  const ratio = { bad: 'errors_total{code="500"}', total: "requests_total", window: "1m" };
  return { name: "error-rate", prometheus: { ratio, match: { app: "api" }, ...change } };
}

function policy(change: object = {}): RollbackPolicy {
  const row = {
    name: "critical",
    when: { signal: "error-rate", above: "0.1", for: "2m" },
    action: "Rollback",
  };
  const spec = RollbackPolicySpec.parse({
    target: { kind: "Deployment", name: "api" },
    signals: [signal()],
    matrix: [row],
    ...change,
  });
  return { metadata: { name: "api", namespace: "shop" }, spec } as RollbackPolicy;
}

function problems(change: object): readonly string[] {
  const result = compilePolicy(policy(change), servers);
  return result.kind === "Refused" ? result.problems : [];
}

describe("compilePolicy", () => {
  it("gives lengths in milliseconds, defaults included", () => {
    expect(compilePolicy(policy(), servers)).toMatchObject({
      kind: "Compiled",
      bakeMs: 600_000,
      rehydrateMs: 3_600_000 + 120_000,
      view: {
        mode: "Enforce",
        suspended: false,
        executor: undefined,
        intervalMs: 15_000,
        lookbackMs: 3_600_000,
        settleMs: 60_000,
        cooldownMs: 1_800_000,
        maxPerDay: 3,
        maxBreachAgeMs: 1_200_000,
      },
      rows: [{ name: "critical", forMs: 120_000, threshold: 0.1, unit: "ratio" }],
      signals: [{ name: "error-rate" }],
    });
  });

  it("never reads back more than one range query holds", () => {
    const result = compilePolicy(policy({ interval: "5s", attribution: { lookback: "720h" } }), servers);
    expect(result).toMatchObject({ rehydrateMs: 10_000 * 5_000 });
  });

  it.each([
    [
      "server",
      { signals: [signal({ server: "main" })] },
      /no Prometheus server "main" \(configured are: default\)/,
    ],
    ["interval", { interval: "1s" }, /interval 1s is too short for server "default": its smallest is 5s/],
    [
      "window",
      { signals: [signal({ ratio: { bad: "a", total: "b", window: "30s" } })] },
      /window 30s is too short: .* the smallest valid window is 1m/,
    ],
    ["selector", { signals: [signal({ ratio: { bad: "a{", total: "b", window: "1m" } })] }, /ratio.bad/],
    ["namespace", { signals: [signal({ match: { namespace: "other" } })] }, /match.namespace must be "shop"/],
  ])("refuses a wrong %s with the remedy", (_what, change, says) => {
    expect(problems(change)).toEqual([expect.stringMatching(says)]);
  });

  it("says everything that is wrong, and the same thing once", () => {
    const twice = {
      interval: "1s",
      signals: [signal(), { ...signal({ server: "main" }), name: "other" }, { ...signal(), name: "third" }],
    };
    expect(problems(twice)).toEqual([
      expect.stringContaining("interval 1s is too short"),
      expect.stringContaining('no Prometheus server "main"'),
    ]);
  });
});

describe("the seats of signals", () => {
  const counted = () => new PrometheusServers([SERVER], new Agent(), { monotonic: () => 0 });
  const taken = (from: PrometheusServers) => from.seats.size;

  it("are one for all signals of a policy, and given up when it is closed", () => {
    const from = counted();
    const quantile = { quantile: "0.95", histogram: "seconds", window: "1m" };
    const latency = { name: "latency", prometheus: { quantile, match: { app: "api" } } };
    const compiled = compilePolicy(policy({ signals: [signal(), latency] }), from);
    if (compiled.kind === "Refused") throw new Error(compiled.problems.join());
    const keys = compiled.signals.map(({ source }) => source.tickGroup?.key);
    expect(keys[0]).toBeDefined();
    expect(keys[1]).toBe(keys[0]);
    expect(taken(from)).toBe(1);
    closePolicy(compiled);
    expect(taken(from)).toBe(0);
  });

  it("are the same row for policies that differ in their label values only", () => {
    const from = counted();
    const keyOf = (name: string, change: object) => {
      const made = policy({ signals: [signal(change)] });
      const compiled = compilePolicy({ ...made, metadata: { ...made.metadata, name } }, from);
      return compiled.kind === "Compiled" ? compiled.signals[0]?.source.tickGroup?.key : undefined;
    };
    const ratio = { bad: 'errors_total{code="500"}', total: "requests_total", window: "2m" };
    expect(keyOf("one", { match: { app: "one" } })).toBe(keyOf("two", { match: { app: "two" } }));
    expect(keyOf("three", { match: { team: "three" } })).not.toBe(keyOf("one", { match: { app: "one" } }));
    expect(keyOf("four", { ratio })).not.toBe(keyOf("one", { match: { app: "one" } }));
  });

  it("are given up by a policy that is refused", () => {
    const from = counted();
    const other = { name: "other", prometheus: { server: "missing", query: "up" } };
    expect(compilePolicy(policy({ signals: [signal(), other] }), from).kind).toBe("Refused");
    expect(taken(from)).toBe(0);
  });
});
