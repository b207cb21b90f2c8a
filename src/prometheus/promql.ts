import { formatDuration } from "../crds/duration.ts";
import { quote } from "./selector.ts";

/** `rate(selector[window])` summed to one series per value of `labels`; `windowMs` > 0. */
export function sumOfRate(selector: string, windowMs: number, labels: readonly string[]): string {
  const grouping = [...new Set(labels)].toSorted().map(labelName).join(", ");
  return `sum by (${grouping}) (rate(${selector}[${formatDuration(windowMs)}]))`;
}

/** `q` is the quantile as the user wrote it, a decimal number. */
export function histogramQuantile(
  q: string,
  bucketSelector: string,
  windowMs: number,
  labels: readonly string[],
): string {
  return `histogram_quantile(${q}, ${sumOfRate(bucketSelector, windowMs, [...labels, "le"])})`;
}

/** Timestamp (seconds) of the newest sample of the selector that is furthest behind; those without series left out. */
export function oldestNewestTimestamp(selectors: readonly string[]): string {
  const newest = selectors.map((selector) => `max(timestamp(${selector}))`);
  const [first = "", ...rest] = newest;
  // `or` drops what has the same labels as the left side, so that each side gets a label of its own.
  const told = rest.map(
    (term, index) => `label_replace(${term}, "selector", ${quote(String(index + 2))}, "", "")`,
  );
  return told.length === 0 ? first : `min(${[first, ...told].join(" or ")})`;
}

/** Empty when no series of the selector carries the label. */
export function countWithLabel(selectorWithLabel: string): string {
  return `count(${selectorWithLabel})`;
}

function labelName(label: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : quote(label);
}
