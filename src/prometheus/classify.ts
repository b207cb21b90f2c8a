import type { Reading, Sample } from "../decision/sample.ts";
import type { Element } from "./answer.ts";
import { byPart, partName, splitReading } from "./parts.ts";
import { SELECTOR_LABEL } from "./promql.ts";
import type { FormQuery, FreeQuery, QuantileQuery, RatioQuery } from "./signal-query.ts";

/** Answers to readings: pure, the same for one instant and for every step of a range. */

type Elements = readonly Element[];
type One =
  { readonly kind: "One"; readonly value: number } | { readonly kind: "Unknown"; readonly sample: Sample };

/** What one target has in the answers to the two queries of its form. `unproven` as in `classifyRatio`. */
export function classifyForm(
  query: FormQuery,
  first: Elements,
  second: Elements,
  unproven: string | undefined,
): Reading {
  // Where one part has bad series, the labels of `bad` are proved for all.
  const doubt = first.length === 0 ? unproven : undefined;
  const classify = (one: Elements, two: Elements) =>
    query.kind === "ratio" ? classifyRatio(query, one, two, doubt) : classifyQuantile(query, one, two);
  if (query.by.length === 0) return classify(first, second);
  const parts = [...byPart(query.by, first, second)].map(
    ([name, part]) =>
      [name, { rank: mostOf(part.second), sample: classify(part.first, part.second) }] as const,
  );
  return splitReading(new Map(parts), "those with most requests");
}

/** "No bad series" has to be read as zero somewhere, which needs a proof. */
export function needsProof(query: FormQuery, first: Elements, second: Elements): query is RatioQuery {
  return query.kind === "ratio" && first.length === 0 && second.length > 0;
}

function mostOf(elements: Elements): number {
  return Math.max(0, ...elements.map(({ value }) => (Number.isFinite(value) ? value : 0)));
}

/** `unproven` says what is missing before "no bad series" may be read as zero; undefined when all was seen. */
export function classifyRatio(
  query: RatioQuery,
  bad: Elements,
  total: Elements,
  unproven: string | undefined,
): Sample {
  const all = readOne(total, "ratio.total");
  if (all.kind === "Unknown") {
    return all.sample;
  }
  const requests = requestsOf(all.value, query.windowMs);
  if (isThin(requests, query)) {
    return thinTraffic(requests, query);
  }
  if (bad.length === 0) {
    return unproven === undefined
      ? { kind: "Value", value: 0, requests, note: "no series matches ratio.bad: read as 0" }
      : { kind: "Unproven", detail: unproven };
  }
  const failed = readOne(bad, "ratio.bad");
  if (failed.kind === "Unknown") {
    return failed.sample;
  }
  return finite((failed.value / all.value) * query.scale, requests);
}

export function classifyQuantile(query: QuantileQuery, value: Elements, count: Elements): Sample {
  const all = readOne(count, "the histogram's count");
  if (all.kind === "Unknown") {
    return all.sample;
  }
  const requests = requestsOf(all.value, query.windowMs);
  if (isThin(requests, query)) {
    return thinTraffic(requests, query);
  }
  const quantile = readOne(value, "the histogram's buckets");
  return quantile.kind === "Unknown" ? quantile.sample : finite(quantile.value * query.scale, requests);
}

/** `freshness` holds timestamps, in seconds, of the newest samples behind the value. */
export function classifyFree(query: FreeQuery, value: Elements, freshness: Elements, atMs: number): Reading {
  if (query.by.length === 0) return classifyFreeValue(query, value, freshness[0]?.value, atMs);
  const selectors = Object.values(Object.groupBy(freshness, ({ labels }) => labels[SELECTOR_LABEL] ?? ""));
  const newestBySelector = selectors.map(
    (elements = []) => new Map(elements.map((each) => [partName(query.by, each.labels), each.value])),
  );
  // A selector without any of these labels stands behind every part.
  const everywhere = partName(query.by, {});
  const parts = [...byPart(query.by, value, [])].map(([name, { first }]) => {
    const newest = newestBySelector.flatMap((known) => known.get(name) ?? known.get(everywhere) ?? []);
    const oldest = newest.length === 0 ? undefined : Math.min(...newest);
    return [name, { rank: 0, sample: classifyFreeValue(query, first, oldest, atMs) }] as const;
  });
  return splitReading(new Map(parts), "the first by name");
}

/** The value of a free query beside the timestamp, in seconds, of the newest sample behind it. */
export function classifyFreeValue(
  query: Pick<FreeQuery, "freshWithinMs" | "scale">,
  value: Elements,
  newest: number | undefined,
  atMs: number,
): Sample {
  const result = readOne(value, "the query");
  if (result.kind === "Unknown") {
    return result.sample;
  }
  if (newest === undefined || !Number.isFinite(newest)) {
    return { kind: "Stale", detail: "the query has a value, but no series behind it has a sample" };
  }
  const ageMs = atMs - newest * 1000;
  if (ageMs >= query.freshWithinMs) {
    const limit = `${query.freshWithinMs / 1000}s`;
    return {
      kind: "Stale",
      // Without the age: this is shown, and must not be news at every evaluation.
      detail: `the newest sample is ${limit} old or older`,
    };
  }
  return finite(result.value * query.scale, undefined);
}

function readOne(elements: Elements, what: string): One {
  const [first, ...rest] = elements;
  if (first === undefined) {
    return { kind: "Unknown", sample: { kind: "NoData", detail: `${what} has no series` } };
  }
  if (rest.length > 0) {
    const detail = `${what} gives ${elements.length} series, exactly one is needed`;
    return { kind: "Unknown", sample: { kind: "Ambiguous", detail } };
  }
  if (!Number.isFinite(first.value)) {
    return { kind: "Unknown", sample: notFinite(first.value, what) };
  }
  return { kind: "One", value: first.value };
}

function finite(value: number, requests: number | undefined): Sample {
  if (!Number.isFinite(value)) {
    return notFinite(value, "the result");
  }
  return requests === undefined ? { kind: "Value", value } : { kind: "Value", value, requests };
}

function notFinite(value: number, what: string): Sample {
  return { kind: "NaN", detail: `${what} gives ${value}, which is not a finite number` };
}

/** No request at all is no traffic, even where the policy asks for none: there is no share of nothing. */
function isThin(requests: number, query: RatioQuery | QuantileQuery): boolean {
  return requests <= 0 || requests < query.minimumRequests;
}

function thinTraffic(requests: number, query: RatioQuery | QuantileQuery): Sample {
  const seen = Math.round(requests * 10) / 10;
  return {
    kind: "InsufficientTraffic",
    detail: `${seen} requests in the window, minimumRequests is ${query.minimumRequests}`,
  };
}

function requestsOf(perSecond: number, windowMs: number): number {
  return (perSecond * windowMs) / 1000;
}
