import { formatDuration, parseDuration } from "../crds/duration.ts";
import { histogramQuantile, oldestNewestTimestamp, sumOfRate } from "./promql.ts";
import {
  addMatchers,
  forceMatchers,
  parseSelector,
  writeSelector,
  type Matchers,
  type Parsed,
  type Selector,
} from "./selector.ts";
import type { PrometheusServer } from "./server.ts";
import { badProof, type Proof } from "./bad-proof.ts";

/** A signal of a policy as this folder reads it: durations as text, exactly one of ratio, quantile, query. */
export interface SignalSpec {
  readonly name: string;
  readonly unit?: "ratio" | "seconds" | "milliseconds" | "count" | undefined;
  readonly prometheus: {
    readonly match?: Matchers | undefined;
    readonly ratio?: { readonly bad: string; readonly total: string; readonly window: string } | undefined;
    readonly quantile?:
      { readonly quantile: string; readonly histogram: string; readonly window: string } | undefined;
    readonly query?: string | undefined;
    readonly freshness?: string | undefined;
    readonly minimumRequests: number;
  };
}

/** The queries of one signal, ready to send. Lengths in ms. */
export type SignalQuery = RatioQuery | QuantileQuery | FreeQuery;

interface QueryCommon {
  readonly signal: string;
  /** Unit of the samples. */
  readonly unit: "ratio" | "seconds" | "count";
  /** The server's value times this is the sample's value. */
  readonly scale: number;
}

export interface RatioQuery extends QueryCommon {
  readonly kind: "ratio";
  /** Requests per second. */
  readonly bad: string;
  readonly total: string;
  readonly windowMs: number;
  readonly minimumRequests: number;
  /** What has to exist before "no bad series" may be read as zero. */
  readonly proofs: readonly Proof[];
}

export interface QuantileQuery extends QueryCommon {
  readonly kind: "quantile";
  readonly value: string;
  /** Observations per second. */
  readonly count: string;
  /** One series per bucket, told apart by `le`. */
  readonly buckets: string;
  readonly windowMs: number;
  readonly minimumRequests: number;
}

export interface FreeQuery extends QueryCommon {
  readonly kind: "query";
  readonly value: string;
  /** Timestamp in seconds of the newest sample behind the value. */
  readonly freshness: string;
  readonly freshWithinMs: number;
}

export type BuiltQuery = Parsed<SignalQuery>;

/** Scrape intervals that a window must hold, and after which a free query's newest sample is stale. */
const WINDOW_SCRAPES = 4;
export const FRESH_SCRAPES = 2.5;

/** The queries of a signal, limited to the policy's namespace where the server forces that. Never throws. */
export function buildSignalQuery(spec: SignalSpec, server: PrometheusServer, namespace: string): BuiltQuery {
  const built = buildSource(spec, server, namespace);
  return built.kind === "Parsed"
    ? built
    : { kind: "Refused", message: `signal ${spec.name}: ${built.message}` };
}

/** The unit that a signal's samples and thresholds have: declared, else by source. */
export function unitOf({ unit, prometheus }: SignalSpec): SignalQuery["unit"] {
  if (unit === "milliseconds") {
    return "seconds";
  }
  if (unit !== undefined) {
    return unit;
  }
  if (prometheus.ratio !== undefined) {
    return "ratio";
  }
  return prometheus.quantile === undefined ? "count" : "seconds";
}

function buildSource(spec: SignalSpec, server: PrometheusServer, namespace: string): BuiltQuery {
  const { ratio, quantile, query, match = {} } = spec.prometheus;
  const common = { signal: spec.name, unit: unitOf(spec), scale: spec.unit === "milliseconds" ? 0.001 : 1 };
  const forced = server.namespaceLabel === undefined ? {} : { [server.namespaceLabel]: namespace };
  const conflict = Object.keys(forced).find((label) => label in match && match[label] !== forced[label]);
  if (conflict !== undefined) {
    return refused(
      `match.${conflict} must be "${namespace}": server "${server.name}" limits policies to their namespace`,
    );
  }
  const matchers: Matchers = { ...match, ...forced };
  if (ratio !== undefined) {
    return buildRatio(common, ratio, spec.prometheus.minimumRequests, matchers, server);
  }
  if (quantile !== undefined) {
    return buildQuantile(common, quantile, spec.prometheus.minimumRequests, matchers, server);
  }
  return query === undefined
    ? refused("exactly one of ratio, quantile and query must be set")
    : buildFree(common, query, spec.prometheus.freshness, matchers, server);
}

function buildRatio(
  common: QueryCommon,
  ratio: { readonly bad: string; readonly total: string; readonly window: string },
  minimumRequests: number,
  matchers: Matchers,
  server: PrometheusServer,
): BuiltQuery {
  const windowMs = parseWindow(ratio.window, server);
  if (windowMs.kind === "Refused") {
    return windowMs;
  }
  const bad = limitedSelector("ratio.bad", ratio.bad, matchers);
  if (bad.kind === "Refused") {
    return bad;
  }
  const total = limitedSelector("ratio.total", ratio.total, matchers);
  if (total.kind === "Refused") {
    return total;
  }
  const labels = Object.keys(matchers);
  return {
    kind: "Parsed",
    value: {
      ...common,
      kind: "ratio",
      bad: sumOfRate(writeSelector(bad.value), windowMs.value, labels),
      total: sumOfRate(writeSelector(total.value), windowMs.value, labels),
      windowMs: windowMs.value,
      minimumRequests,
      proofs: badProof(bad.value, total.value, matchers),
    },
  };
}

function buildQuantile(
  common: QueryCommon,
  quantile: { readonly quantile: string; readonly histogram: string; readonly window: string },
  minimumRequests: number,
  matchers: Matchers,
  server: PrometheusServer,
): BuiltQuery {
  const q = Number(quantile.quantile);
  if (!(q > 0 && q < 1)) {
    return refused(`quantile.quantile "${quantile.quantile}" must be a number between 0 and 1`);
  }
  const windowMs = parseWindow(quantile.window, server);
  if (windowMs.kind === "Refused") {
    return windowMs;
  }
  const histogram = limitedSelector("quantile.histogram", quantile.histogram, matchers);
  if (histogram.kind === "Refused") {
    return histogram;
  }
  const { metric } = histogram.value;
  if (metric === undefined || metric.endsWith("_bucket")) {
    return refused(
      `quantile.histogram "${quantile.histogram}" must begin with the histogram's name, without _bucket`,
    );
  }
  const bucket = writeSelector({ ...histogram.value, metric: `${metric}_bucket` });
  const count = writeSelector({ ...histogram.value, metric: `${metric}_count` });
  const labels = Object.keys(matchers);
  return {
    kind: "Parsed",
    value: {
      ...common,
      kind: "quantile",
      value: histogramQuantile(String(q), bucket, windowMs.value, labels),
      count: sumOfRate(count, windowMs.value, labels),
      buckets: `count by (le) (${bucket})`,
      windowMs: windowMs.value,
      minimumRequests,
    },
  };
}

function buildFree(
  common: QueryCommon,
  query: string,
  freshness: string | undefined,
  matchers: Matchers,
  server: PrometheusServer,
): BuiltQuery {
  if (server.allowQuery === false) {
    return refused(`server "${server.name}" does not allow free queries; use ratio or quantile`);
  }
  const forced = forceMatchers(query, matchers);
  if (forced.kind === "Refused") {
    return forced;
  }
  const named = freshness === undefined ? undefined : limitedSelector("freshness", freshness, matchers);
  if (named?.kind === "Refused") {
    return named;
  }
  const selectors = named === undefined ? forced.value.selectors : [writeSelector(named.value)];
  return {
    kind: "Parsed",
    value: {
      ...common,
      kind: "query",
      value: forced.value.query,
      freshness: oldestNewestTimestamp(selectors),
      freshWithinMs: FRESH_SCRAPES * server.scrapeIntervalMs,
    },
  };
}

function limitedSelector(field: string, text: string, matchers: Matchers): Parsed<Selector> {
  const selector = parseSelector(text);
  const limited = selector.kind === "Parsed" ? addMatchers(selector.value, matchers) : selector;
  return limited.kind === "Parsed" ? limited : refused(`${field}: ${limited.message}`);
}

/** rate() needs two samples; four scrape intervals still hold them when a scrape fails. */
function parseWindow(text: string, server: PrometheusServer): Parsed<number> {
  let windowMs: number;
  try {
    windowMs = parseDuration(text);
  } catch {
    return refused(`window "${text}" is not a duration such as 90s or 2m`);
  }
  const smallest = Math.ceil(WINDOW_SCRAPES * server.scrapeIntervalMs);
  return windowMs >= smallest && windowMs > 0
    ? { kind: "Parsed", value: windowMs }
    : refused(
        `window ${text} is too short: server "${server.name}" scrapes every ${formatDuration(server.scrapeIntervalMs)}, the smallest valid window is ${formatDuration(smallest)}`,
      );
}

function refused(message: string): { readonly kind: "Refused"; readonly message: string } {
  return { kind: "Refused", message };
}
