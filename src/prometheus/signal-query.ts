import { formatDuration, parseDuration } from "../crds/duration.ts";
import {
  shapeOf,
  termOf,
  type HistogramFormat,
  type QuantileForm,
  type RatioForm,
  type Target,
} from "./form.ts";
import { newestTimestamps, oldestNewestTimestamp } from "./promql.ts";
import { writeRoles } from "./question.ts";
import {
  addMatchers,
  forceMatchers,
  parseSelector,
  writeSelector,
  type Matchers,
  type Parsed,
  type Selector,
} from "./selector.ts";
import { forcedMatchers, type PrometheusServer } from "./server.ts";

/** A signal of a policy as this folder reads it: durations as text, exactly one of ratio, quantile, query. */
export interface SignalSpec {
  readonly name: string;
  readonly unit?: "ratio" | "seconds" | "milliseconds" | "count" | undefined;
  readonly prometheus: {
    readonly match?: Matchers | undefined;
    readonly ratio?: RatioSpec | undefined;
    readonly quantile?: QuantileSpec | undefined;
    readonly query?: string | undefined;
    readonly freshness?: string | undefined;
    /** Of a free query. */
    readonly by?: readonly string[] | undefined;
    readonly minimumRequests: number;
  };
}

interface RatioSpec {
  readonly bad: string;
  readonly total: string;
  readonly window: string;
  readonly by?: readonly string[] | undefined;
}

interface QuantileSpec {
  readonly quantile: string;
  readonly histogram: string;
  readonly window: string;
  readonly by?: readonly string[] | undefined;
  readonly format?: HistogramFormat | undefined;
}

/** The queries of one signal, ready to send. Lengths in ms. */
export type SignalQuery = FormQuery | FreeQuery;

/** One whose question can be asked for many targets at once. */
export type FormQuery = RatioQuery | QuantileQuery;

interface QueryCommon {
  readonly signal: string;
  /** Unit of the samples. */
  readonly unit: "ratio" | "seconds" | "count";
  /** The server's value times this is the sample's value. */
  readonly scale: number;
  /** Labels of whose values each has a verdict of its own; sorted, mostly none. */
  readonly by: readonly string[];
}

interface FormCommon extends QueryCommon {
  /** Equal for queries that differ in their target only. */
  readonly shape: string;
  readonly target: Target;
  readonly windowMs: number;
  readonly minimumRequests: number;
}

export interface RatioQuery extends FormCommon {
  readonly kind: "ratio";
  readonly form: RatioForm;
  /** Requests per second of this target alone, ready to paste. */
  readonly bad: string;
  readonly total: string;
}

export interface QuantileQuery extends FormCommon {
  readonly kind: "quantile";
  readonly form: QuantileForm;
  /** Of this target alone, ready to paste. */
  readonly value: string;
  /** Observations per second. */
  readonly count: string;
}

export interface FreeQuery extends QueryCommon {
  readonly kind: "query";
  readonly value: string;
  /** Timestamp in seconds of the newest sample behind the value; with `by`, one per selector and label value. */
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
  const scale = spec.unit === "milliseconds" ? 0.001 : 1;
  const common = { signal: spec.name, unit: unitOf(spec), scale, by: [] };
  const forced = forcedMatchers("match", match, server, namespace);
  if (forced.kind === "Refused") return forced;
  const matchers = forced.value;
  if (ratio !== undefined) {
    return buildRatio(common, ratio, spec.prometheus.minimumRequests, matchers, server);
  }
  if (quantile !== undefined) {
    return buildQuantile(common, quantile, spec.prometheus.minimumRequests, matchers, server);
  }
  return query === undefined
    ? refused("exactly one of ratio, quantile and query must be set")
    : buildFree(common, { ...spec.prometheus, query }, matchers, server);
}

function buildRatio(
  common: QueryCommon,
  ratio: RatioSpec,
  minimumRequests: number,
  matchers: Matchers,
  server: PrometheusServer,
): BuiltQuery {
  const windowMs = parseWindow(ratio.window, server);
  if (windowMs.kind === "Refused") {
    return windowMs;
  }
  const bad = targetless("ratio.bad", ratio.bad, matchers);
  if (bad.kind === "Refused") {
    return bad;
  }
  const total = targetless("ratio.total", ratio.total, matchers);
  if (total.kind === "Refused") {
    return total;
  }
  const by = partLabels(ratio.by, matchers);
  if (by.kind === "Refused") {
    return by;
  }
  const onlyBad = by.value.find((label) => selectsBy(bad.value, label) && !selectsBy(total.value, label));
  if (onlyBad !== undefined) {
    return refused(
      `by: ratio.bad selects by the label "${onlyBad}" and ratio.total does not, so whatever is bad would be 100 % of its part: leave "${onlyBad}" out of by, or, if it is not what makes a request bad, select by it in ratio.total as well`,
    );
  }
  const labels = Object.keys(matchers).toSorted();
  const form: RatioForm = {
    kind: "ratio",
    labels,
    by: by.value,
    windowMs: windowMs.value,
    bad: bad.value,
    total: total.value,
  };
  const target = labels.map((label) => matchers[label] ?? "");
  const [badText, totalText] = writeRoles(form, [termOf(target)]);
  return {
    kind: "Parsed",
    value: {
      ...common,
      kind: "ratio",
      form,
      shape: shapeOf(form),
      target,
      by: by.value,
      bad: badText,
      total: totalText,
      windowMs: windowMs.value,
      minimumRequests,
    },
  };
}

function buildQuantile(
  common: QueryCommon,
  quantile: QuantileSpec,
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
  const histogram = targetless("quantile.histogram", quantile.histogram, matchers);
  if (histogram.kind === "Refused") {
    return histogram;
  }
  const { metric } = histogram.value;
  if (metric === undefined || metric.endsWith("_bucket")) {
    return refused(
      `quantile.histogram "${quantile.histogram}" must begin with the histogram's name, without _bucket`,
    );
  }
  const by = partLabels(quantile.by, matchers);
  if (by.kind === "Refused") {
    return by;
  }
  const labels = Object.keys(matchers).toSorted();
  const form: QuantileForm = {
    kind: "quantile",
    labels,
    by: by.value,
    windowMs: windowMs.value,
    quantile: String(q),
    histogram: { ...histogram.value, metric },
    format: quantile.format ?? "Classic",
  };
  const target = labels.map((label) => matchers[label] ?? "");
  const [value, count] = writeRoles(form, [termOf(target)]);
  return {
    kind: "Parsed",
    value: {
      ...common,
      kind: "quantile",
      form,
      shape: shapeOf(form),
      target,
      by: by.value,
      value,
      count,
      windowMs: windowMs.value,
      minimumRequests,
    },
  };
}

function buildFree(
  common: QueryCommon,
  spec: SignalSpec["prometheus"] & { readonly query: string },
  matchers: Matchers,
  server: PrometheusServer,
): BuiltQuery {
  const { query, freshness } = spec;
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
  const by = partLabels(spec.by, {});
  if (by.kind === "Refused") {
    return by;
  }
  const selectors = named === undefined ? forced.value.selectors : [writeSelector(named.value)];
  return {
    kind: "Parsed",
    value: {
      ...common,
      kind: "query",
      by: by.value,
      value: forced.value.query,
      freshness:
        by.value.length === 0 ? oldestNewestTimestamp(selectors) : newestTimestamps(selectors, by.value),
      freshWithinMs: FRESH_SCRAPES * server.scrapeIntervalMs,
    },
  };
}

function selectsBy({ matchers }: Selector, label: string): boolean {
  return matchers.some((matcher) => matcher.label === label);
}

/** A label that `match` fixes has one value; `le` tells buckets apart. */
function partLabels(by: readonly string[] | undefined, matchers: Matchers): Parsed<readonly string[]> {
  const labels = [...new Set(by ?? [])].toSorted();
  const fixed = labels.find((label) => label in matchers);
  if (fixed !== undefined) return refused(`by: the label "${fixed}" has one value only, that of the target`);
  return labels.includes("le")
    ? refused('by: the label "le" tells the buckets of a histogram apart')
    : { kind: "Parsed", value: labels };
}

/** The selector as the user wrote it, once it is clear that the target's labels can be added to it. */
function targetless(field: string, text: string, matchers: Matchers): Parsed<Selector> {
  const limited = limitedSelector(field, text, matchers);
  return limited.kind === "Parsed" ? parseSelector(text) : limited;
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
