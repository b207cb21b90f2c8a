import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { ControlPlane } from "../cluster/control-plane.ts";
import { startControlPlane } from "../cluster/control-plane.ts";
import { kstatusOf, type ConditionedObject } from "../support/kstatus.ts";
import { kubectlFor, type Kubectl } from "../support/kubectl.ts";
import { installOperator } from "../support/operator-process.ts";

const START_MS = 90_000;
const TEST_MS = 30_000;

type Fields = Readonly<Record<string, unknown>>;

const API_VERSION = "rollback.llm-research-lab.io/v1alpha1";
const RATIO = { bad: 'errors{code="500"}', total: "requests", window: "1m" };
const QUANTILE = { quantile: "0.95", histogram: 'http_seconds{code="200"}', window: "2m" };
const SIGNAL = { name: "errors", prometheus: { ratio: RATIO } };
const ROW = { name: "high", when: { signal: "errors", above: "0.1" }, action: "Rollback" };

/** Policies as the API server judges them; no operator runs here. */
describe("a RollbackPolicy in the API server", () => {
  let controlPlane: ControlPlane;
  let kubectl: Kubectl;

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: false });
    kubectl = await kubectlFor(controlPlane.kubeconfigPath);
    await installOperator(kubectl);
  }, START_MS);

  afterAll(async () => {
    await controlPlane?.stop();
  }, START_MS);

  function create(object: Fields, ...flags: readonly string[]) {
    return kubectl.attempt(["create", "-f", "-", "-o", "json", ...flags], JSON.stringify(object));
  }

  it.each<readonly [string, Fields, string]>([
    ["no signals", { signals: [] }, "spec.signals in body should have at least 1 items"],
    ["no rows", { matrix: [] }, "spec.matrix in body should have at least 1 items"],
    [
      "a row about an unknown signal",
      { matrix: [{ ...ROW, when: { signal: "latency", above: "1" } }] },
      "every row's `when.signal` must be the name of a signal of this policy",
    ],
    [
      "a row with two bounds",
      { matrix: [{ ...ROW, when: { signal: "errors", above: "1", below: "2" } }] },
      "must have exactly one of `above`, `below`",
    ],
    [
      "a row without a bound",
      { matrix: [{ ...ROW, when: { signal: "errors" } }] },
      "must have exactly one of `above`, `below`",
    ],
    [
      "a threshold that is a float",
      { matrix: [{ ...ROW, when: { signal: "errors", above: 0.1 } }] },
      "when.above: Invalid value",
    ],
    ["an unknown action", { matrix: [{ ...ROW, action: "Undo" }] }, 'action: Unsupported value: "Undo"'],
    ["two rows of one name", { matrix: [ROW, ROW] }, "Duplicate value"],
    [
      "a signal of two sources",
      { signals: [{ name: "errors", prometheus: { ratio: RATIO, query: "up" } }] },
      "must have exactly one of `ratio`, `quantile`, `query`",
    ],
    [
      "a signal of no source",
      { signals: [{ name: "errors", prometheus: {} }] },
      "must have exactly one of `ratio`, `quantile`, `query`",
    ],
    [
      "a signal without a source",
      { signals: [{ name: "errors" }] },
      "must have exactly one of `prometheus`, `pods`, `vulnerabilityReports`, `alert`",
    ],
    [
      "a signal from two places",
      { signals: [{ ...SIGNAL, pods: { terminated: "OOMKilled" } }] },
      "must have exactly one of `prometheus`, `pods`, `vulnerabilityReports`, `alert`",
    ],
    [
      "a unit of what is counted",
      { signals: [{ name: "errors", unit: "seconds", pods: { terminated: "OOMKilled" } }] },
      "`unit` is for `prometheus`",
    ],
    [
      "pods in two states",
      { signals: [{ name: "errors", pods: { terminated: "OOMKilled", waiting: "CrashLoopBackOff" } }] },
      "must have exactly one of `terminated`, `waiting`, `failingProbe`",
    ],
    [
      "a window of a state",
      { signals: [{ name: "errors", pods: { waiting: "CrashLoopBackOff", window: "5m" } }] },
      "`window` is for `terminated`",
    ],
    [
      "a reason that no container dies of",
      { signals: [{ name: "errors", pods: { terminated: "OOMkilled" } }] },
      'terminated: Unsupported value: "OOMkilled"',
    ],
    [
      "a probe that leaves no trace",
      { signals: [{ name: "errors", pods: { failingProbe: "Liveness" } }] },
      'failingProbe: Unsupported value: "Liveness"',
    ],
    [
      "a severity that is none",
      { signals: [{ name: "errors", vulnerabilityReports: { severity: "CRITICAL" } }] },
      'severity: Unsupported value: "CRITICAL"',
    ],
    [
      "a check of what is no check",
      {
        signals: [{ name: "errors", vulnerabilityReports: { severity: "Critical" } }],
        verification: { checks: [{ name: "c", signal: { name: "errors", below: "1" } }] },
      },
      "no check of `verification` may name a `vulnerabilityReports` signal",
    ],
    [
      "labels for a free query",
      { signals: [{ name: "errors", prometheus: { query: "up", match: { a: "b" } } }] },
      "`match` is for `ratio` and `quantile`",
    ],
    [
      "freshness without a query",
      { signals: [{ name: "errors", prometheus: { ratio: RATIO, freshness: "up" } }] },
      "`freshness` needs `query`",
    ],
    [
      "a check of an unknown signal",
      { verification: { checks: [{ name: "c", signal: { name: "latency", below: "1" } }] } },
      "every signal check of `verification` must name a signal of this policy",
    ],
    [
      "a check of a signal without any bound",
      {
        signals: [SIGNAL, { ...SIGNAL, name: "other" }],
        verification: { checks: [{ name: "c", signal: { name: "other" } }] },
      },
      "a signal check of `verification` needs `above` or `below`, or a row of the matrix",
    ],
    ...["0", "1", "95", "-0.5"].map(
      (text) =>
        [
          `quantile ${text}`,
          { signals: [{ name: "errors", prometheus: { quantile: { ...QUANTILE, quantile: text } } }] },
          "must be greater than 0 and less than 1",
        ] as const,
    ),
    [
      "a histogram whose name is none",
      {
        signals: [{ name: "errors", prometheus: { quantile: { ...QUANTILE, histogram: "http-seconds" } } }],
      },
      "quantile.histogram: Invalid value",
    ],
    [
      "a window of nothing",
      { signals: [{ name: "errors", prometheus: { ratio: { ...RATIO, window: "0s" } } }] },
      'window: Invalid value: "0s": must be between 1s and 24h',
    ],
    ["a bake of nothing", { bake: "0s" }, "must be between 1s and 720h"],
    [
      "a label that is none",
      { signals: [{ name: "errors", prometheus: { ratio: RATIO, match: { "app-name": "web" } } }] },
      "`match` must have label names of Prometheus",
    ],
    [
      "an alert beside another source",
      { signals: [{ ...SIGNAL, alert: { matchers: { alertname: "Down" } } }] },
      "must have exactly one of `prometheus`, `pods`, `vulnerabilityReports`, `alert`",
    ],
    [
      "an alert without matchers",
      { signals: [{ name: "errors", alert: { matchers: {} } }] },
      "alert.matchers in body should have at least 1 properties",
    ],
    [
      "an alert by a label that is none",
      { signals: [{ name: "errors", alert: { matchers: { "alert-name": "Down" } } }] },
      "`matchers` must have label names of Prometheus",
    ],
    [
      "an alert by its state",
      { signals: [{ name: "errors", alert: { matchers: { alertstate: "pending" } } }] },
      "`matchers` must not have `alertstate`",
    ],
    [
      "label values beside a ratio",
      { signals: [{ name: "errors", prometheus: { ratio: RATIO, by: ["route"] } }] },
      "`by` beside `query` is for `query`",
    ],
    [
      "label values of too many labels",
      { signals: [{ name: "errors", prometheus: { ratio: { ...RATIO, by: ["a", "b", "c", "d", "e"] } } }] },
      "ratio.by: Too many: 5: must have at most 4 items",
    ],
    [
      "label values of a label that is none",
      { signals: [{ name: "errors", prometheus: { quantile: { ...QUANTILE, by: ["a-b"] } } }] },
      "quantile.by[0]: Invalid value",
    ],
    [
      "an unknown kind of histogram",
      { signals: [{ name: "errors", prometheus: { quantile: { ...QUANTILE, format: "Exponential" } } }] },
      'quantile.format: Unsupported value: "Exponential"',
    ],
    ["an interval of nothing", { interval: "0s" }, "must be between 1s and 1h"],
    ["an interval in words", { interval: "often" }, "spec.interval: Invalid value"],
    ["an unknown mode", { mode: "Dry" }, 'spec.mode: Unsupported value: "Dry"'],
    ["another kind of target", { target: { kind: "Pod", name: "web" } }, "target.kind: Unsupported value"],
    ["no target", { target: undefined }, "spec.target: Required value"],
    ["a guard out of bounds", { guards: { maxPerDay: 101 } }, "guards.maxPerDay: Invalid value"],
    ["a signal whose name is no label", { signals: [{ ...SIGNAL, name: "Errors" }] }, "signals[0].name"],
  ])(
    "with %s is refused, naming it",
    async (_, spec, message) => {
      const { code, stderr } = await create(policy(spec));

      expect(code).not.toBe(0);
      expect(stderr).toContain(message);
    },
    TEST_MS,
  );

  it(
    "is in progress from its first moment",
    async () => {
      const { stdout } = await create(policy({}));

      const created = JSON.parse(stdout) as ConditionedObject & { readonly spec: Fields };
      expect(created.status).toEqual({ observedGeneration: -1 });
      expect(kstatusOf(created)).toBe("InProgress");
      expect(created.spec).toMatchObject({
        mode: "Enforce",
        suspend: false,
        interval: "15s",
        bake: "10m",
        guards: { cooldown: "30m", maxPerDay: 3, settle: "60s", maxBreachAge: "20m" },
        verification: { settle: "10s", soak: "60s", interval: "10s" },
      });
    },
    TEST_MS,
  );
});

function policy(change: Fields): Fields {
  const spec = { target: { kind: "Deployment", name: "web" }, signals: [SIGNAL], matrix: [ROW], ...change };
  return {
    apiVersion: API_VERSION,
    kind: "RollbackPolicy",
    metadata: { name: "web", namespace: "default" },
    spec,
  };
}
