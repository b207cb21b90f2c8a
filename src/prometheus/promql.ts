import { formatDuration } from "../crds/duration.ts";
import { quote } from "./selector.ts";

/** `rate(selector[window])` summed to one series per value of `labels`; `windowMs` > 0. */
export function sumOfRate(selector: string, windowMs: number, labels: readonly string[]): string {
  return `sum by (${grouping(labels)}) (rate(${selector}[${formatDuration(windowMs)}]))`;
}

/** `q` is the quantile as the user wrote it, a decimal number; `buckets` gives rates. */
export function histogramQuantile(q: string, buckets: string): string {
  return `histogram_quantile(${q}, ${buckets})`;
}

/** Number of series per value of `labels`; no series where there is none. */
export function countBy(labels: readonly string[], selector: string): string {
  return `count by (${grouping(labels)}) (${selector})`;
}

/**
 * Queries as one that gives the series of all; of series with the same labels the one of the leftmost query. A balanced
 * tree: in a chain the series of each query would be compared with all before them.
 */
export function alternatives(queries: readonly string[]): string {
  if (queries.length <= 1) return queries[0] ?? "";
  const middle = Math.ceil(queries.length / 2);
  return [queries.slice(0, middle), queries.slice(middle)]
    .map((side) => (side.length > 1 ? `(${alternatives(side)})` : alternatives(side)))
    .join(" or ");
}

/** Label that tells the selectors of `newestTimestamps` apart; absent for the first one. */
export const SELECTOR_LABEL = "__selector__";

/** Per selector and value of `labels` the timestamp (seconds) of the newest sample. */
export function newestTimestamps(selectors: readonly string[], labels: readonly string[]): string {
  const newest = selectors.map((selector) =>
    labels.length === 0
      ? `max(timestamp(${selector}))`
      : `max by (${grouping(labels)}) (timestamp(${selector}))`,
  );
  const [first = "", ...rest] = newest;
  // `or` drops what has the same labels as the left side, so that each side gets a label of its own.
  const told = rest.map(
    (term, index) => `label_replace(${term}, "${SELECTOR_LABEL}", ${quote(String(index + 2))}, "", "")`,
  );
  return [first, ...told].join(" or ");
}

/** Timestamp (seconds) of the newest sample of the selector that is furthest behind; those without series left out. */
export function oldestNewestTimestamp(selectors: readonly string[]): string {
  const newest = newestTimestamps(selectors, []);
  return selectors.length > 1 ? `min(${newest})` : newest;
}

function grouping(labels: readonly string[]): string {
  return [...new Set(labels)].toSorted().map(labelName).join(", ");
}

/** As it is written in a grouping or a matcher. */
export function labelName(label: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : quote(label);
}
