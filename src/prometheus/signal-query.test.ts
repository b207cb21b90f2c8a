import { describe, expect, it } from "@jest/globals";
import type { PrometheusServer } from "./server.ts";
import { buildSignalQuery, unitOf, type SignalSpec } from "./signal-query.ts";

const SERVER: PrometheusServer = {
  name: "default",
  url: "http://prometheus:9090",
  timeoutMs: 5000,
  scrapeIntervalMs: 15_000,
};
const FORCED: PrometheusServer = { ...SERVER, namespaceLabel: "namespace" };
const match = { app: "api" };
const ratio = { bad: 'requests_total{status=~"5.."}', total: "requests_total", window: "1m" };

function build(
  prometheus: Partial<SignalSpec["prometheus"]>,
  server = FORCED,
  extra: Partial<SignalSpec> = {},
) {
  const spec: SignalSpec = { name: "errors", prometheus: { minimumRequests: 50, ...prometheus }, ...extra };
  return buildSignalQuery(spec, server, "shop");
}

describe("ratio", () => {
  it("is the rates of bad and total, with what proves an empty bad", () => {
    expect(build({ ratio, match })).toMatchObject({
      kind: "Parsed",
      value: {
        kind: "ratio",
        by: [],
        target: ["api", "shop"],
        signal: "errors",
        unit: "ratio",
        scale: 1,
        bad: 'sum by (app, namespace) (rate(requests_total{status=~"5..",app="api",namespace="shop"}[1m]))',
        total: 'sum by (app, namespace) (rate(requests_total{app="api",namespace="shop"}[1m]))',
        windowMs: 60_000,
        minimumRequests: 50,
      },
    });
  });

  it("adds no label that the selector has itself, with the same value", () => {
    const own = { ...ratio, total: 'requests_total{app="api"}' };
    const built = build({ ratio: own, match }, SERVER);
    expect(built.kind === "Parsed" && built.value).toMatchObject({
      bad: 'sum by (app) (rate(requests_total{status=~"5..",app="api"}[1m]))',
      total: 'sum by (app) (rate(requests_total{app="api"}[1m]))',
    });
  });

  it("works without match and without a forced label", () => {
    const built = build({ ratio }, SERVER);
    expect(built.kind === "Parsed" && built.value).toMatchObject({
      total: "sum by () (rate(requests_total[1m]))",
    });
  });

  it("of label values each needs one verdict more: they stay in the answer", () => {
    const built = build({ ratio: { ...ratio, by: ["route", "method", "route"] }, match }, SERVER);
    expect(built.kind === "Parsed" && built.value).toMatchObject({
      by: ["method", "route"],
      total: 'sum by (app, method, route) (rate(requests_total{app="api"}[1m]))',
    });
  });
});

describe("a ratio by a label of its selectors", () => {
  const selected = { ...ratio, bad: 'requests_total{status=~"5..",route!="/healthz"}' };

  it.each(["status", "route"])("that bad alone selects by is refused: %s", (label) => {
    expect(build({ ratio: { ...selected, by: ["method", label] } })).toEqual({
      kind: "Refused",
      message: `signal errors: by: ratio.bad selects by the label "${label}" and ratio.total does not, so whatever is bad would be 100 % of its part: leave "${label}" out of by, or, if it is not what makes a request bad, select by it in ratio.total as well`,
    });
  });

  it("that total selects by as well is split", () => {
    const both = { ...selected, total: 'requests_total{route!="/healthz"}', by: ["route"] };
    expect(build({ ratio: both })).toMatchObject({ kind: "Parsed", value: { by: ["route"] } });
    const onlyTotal = { ...ratio, total: 'requests_total{route!="/healthz"}', by: ["route"] };
    expect(build({ ratio: onlyTotal })).toMatchObject({ kind: "Parsed", value: { by: ["route"] } });
  });
});

describe("quantile", () => {
  it("is the quantile of the summed buckets and the count", () => {
    const quantile = { quantile: "0.95", histogram: 'latency_seconds{route="/"}', window: "90s" };
    expect(build({ quantile }, SERVER)).toMatchObject({
      kind: "Parsed",
      value: {
        unit: "seconds",
        value: 'histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket{route="/"}[1m30s])))',
        count: 'sum by () (rate(latency_seconds_count{route="/"}[1m30s]))',
      },
    });
  });

  it("of a native histogram needs no buckets", () => {
    const quantile = {
      quantile: "0.95",
      histogram: "latency_seconds",
      window: "1m",
      format: "Native",
      by: ["route"],
    } as const;
    expect(build({ quantile, match }, SERVER)).toMatchObject({
      value: {
        value: 'histogram_quantile(0.95, sum by (app, route) (rate(latency_seconds{app="api"}[1m])))',
        count: 'histogram_count(sum by (app, route) (rate(latency_seconds{app="api"}[1m])))',
      },
    });
  });

  it("converts milliseconds", () => {
    const spec: SignalSpec = {
      name: "p95",
      unit: "milliseconds",
      prometheus: { minimumRequests: 0, quantile: { quantile: "0.5", histogram: "x", window: "1m" } },
    };
    expect(unitOf(spec)).toBe("seconds");
    const built = buildSignalQuery(spec, SERVER, "shop");
    expect(built.kind === "Parsed" && built.value).toMatchObject({ unit: "seconds", scale: 0.001 });
  });
});

describe("free query", () => {
  it("is forced, with the newest samples of its selectors", () => {
    expect(build({ query: "max(a) / max(b)" })).toMatchObject({
      kind: "Parsed",
      value: {
        kind: "query",
        unit: "count",
        value: 'max(a{namespace="shop"}) / max(b{namespace="shop"})',
        freshness:
          'min(max(timestamp(a{namespace="shop"})) or label_replace(max(timestamp(b{namespace="shop"})), "__selector__", "2", "", ""))',
        freshWithinMs: 37_500,
      },
    });
  });

  it("with by has a freshness for each label value", () => {
    expect(build({ query: "max by (queue) (a) / max(b)", by: ["queue"] }, SERVER)).toMatchObject({
      value: {
        by: ["queue"],
        freshness:
          'max by (queue) (timestamp(a)) or label_replace(max by (queue) (timestamp(b)), "__selector__", "2", "", "")',
      },
    });
  });

  it("takes the named freshness selector", () => {
    expect(build({ query: "max(a)", freshness: "heartbeat" })).toMatchObject({
      value: { freshness: 'max(timestamp(heartbeat{namespace="shop"}))' },
    });
  });
});

describe("refusals", () => {
  it.each([
    [build({ ratio: { ...ratio, window: "59s" } }), "the smallest valid window is 1m"],
    [build({ ratio: { ...ratio, window: "soon" } }), "is not a duration"],
    [build({ ratio: { ...ratio, bad: "rate(x[1m])" } }), "ratio.bad: "],
    [build({ ratio: { ...ratio, total: 'x{namespace="other"}' } }), '"namespace"'],
    [build({ ratio, match: { namespace: "other" } }), "match.namespace must be"],
    [build({ quantile: { quantile: "1.5", histogram: "x", window: "1m" } }), "between 0 and 1"],
    [build({ quantile: { quantile: "0.5", histogram: "x_bucket", window: "1m" } }), "without _bucket"],
    [build({ ratio: { ...ratio, by: ["app"] }, match }), 'by: the label "app" has one value only'],
    [build({ ratio: { ...ratio, by: ["namespace"] } }), 'by: the label "namespace" has one value only'],
    [
      build({ quantile: { quantile: "0.5", histogram: "x", window: "1m", by: ["le"] } }),
      'by: the label "le" tells the buckets',
    ],
    [build({ query: "a" }, { ...SERVER, allowQuery: false }), "does not allow free queries"],
    [build({ query: "a", freshness: "max(a)" }), "freshness: "],
    [build({}), "exactly one of"],
  ])("%#", (built, message) => {
    expect(built).toEqual({ kind: "Refused", message: expect.stringContaining(message) });
    expect(built.kind === "Refused" && built.message).toMatch(/^signal errors: /);
  });
});
