import type { EvidenceQuestion, PastSample } from "../decision/attribution/evidence.ts";
import { verdictOf, type Row } from "../decision/row.ts";
import type { Sample } from "../decision/sample.ts";
import type { Element, Series } from "./answer.ts";
import { classifyQuantile, classifyRatio } from "./classify.ts";
import { limited, limitsOf, ROLE, rolesBy, rolesOf, type Limits } from "./evidence-query.ts";
import { pointsOf } from "./evidence-range.ts";
import type { Range } from "./roles.ts";
import type { FormQuery, SignalQuery } from "./signal-query.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** How far from the same time of day a daily job may begin. */
const AROUND_MS = 10 * MINUTE_MS;
/** Of so long a healthy stretch one sample is kept. */
const STRETCH_MS = 5 * MINUTE_MS;
/** No release is looked at that is older than the longest lookback. */
const FURTHEST_MS = 2 * DAY_MS;
/** Samples further apart than this see no episode that a row with a short `for` fires on. */
const COARSEST_MS = 5 * MINUTE_MS;

/** One question for the signal's values over the day before the release until now. */
export function pastRange({ at, onset, release, row }: EvidenceQuestion): Range {
  const step = Math.min(COARSEST_MS, Math.max(MINUTE_MS, Math.floor(row.forMs / 2 / MINUTE_MS) * MINUTE_MS));
  const began = Math.max(Math.min(release.startedAt ?? onset, onset), at - FURTHEST_MS);
  const start = began - DAY_MS - AROUND_MS;
  return { start: at - Math.ceil((at - start) / step) * step, end: at, step };
}

/** The same time of day a week ago. */
export function weekRange(question: EvidenceQuestion): Range {
  const { step } = pastRange(question);
  const end = question.at - 7 * DAY_MS + AROUND_MS;
  const start = question.onset - 7 * DAY_MS - AROUND_MS;
  return { start: end - Math.min(120, Math.ceil((end - start) / step)) * step, end, step };
}

export function pastText(query: SignalQuery, part: Limits): string {
  if (query.kind === "query") return query.value;
  const [first, second] = rolesBy(query.form, [], (selector) => limited(selector, limitsOf(query, part)));
  return rolesOf({ first, second });
}

/**
 * Samples of the same classes that the signal's own would have been, at the instants of the answer (some servers move
 * them to a grid of their own), without those that tell nothing new: a day of them
 * is kept for each row that fires.
 */
export function readPast(
  query: SignalQuery,
  question: EvidenceQuestion,
  range: Range,
  series: readonly Series[],
): readonly PastSample[] {
  const sampleAt = query.kind === "query" ? freeSamples(query.scale, series) : formSamples(query, series);
  const answered = series.flatMap(({ points }) => points.map(({ at }) => at));
  const instants = [...new Set(answered)].filter((at) => at <= range.end).toSorted((a, b) => a - b);
  return telling(
    instants.map((at) => pastSample(question.row, at, sampleAt(at))),
    question,
  );
}

/**
 * Whether the past ends in the breach that the row fired on. It must: the instant that is asked at is a step of the
 * range. Only where the server moved the steps may a short breach lie between two of them.
 */
export function showsBreach(
  samples: readonly PastSample[],
  { at, onset }: EvidenceQuestion,
  { step }: Range,
): boolean {
  const [first] = samples;
  if (first === undefined) return false;
  const last = first.at + Math.floor((at - first.at) / step) * step;
  const isCovered = last === at || last - step >= onset;
  return !isCovered || samples.some((sample) => sample.at >= onset && sample.verdict === "Breach");
}

/**
 * All of the last hour before the onset; of the time before it every breach, where it begins and ends, and of the healthy
 * samples of some minutes the one with most traffic.
 */
function telling(
  samples: readonly PastSample[],
  { onset, release: { startedAt = onset } }: EvidenceQuestion,
): readonly PastSample[] {
  const isBreach = (index: number): boolean => samples[index]?.verdict === "Breach";
  const stretchOf = ({ at }: PastSample): string =>
    `${Math.floor(at / STRETCH_MS)} ${at < startedAt} ${at < onset}`;
  const busiest = new Map<string, PastSample>();
  for (const sample of samples) {
    const known = busiest.get(stretchOf(sample));
    const isBusier = known === undefined || (sample.requests ?? 0) > (known.requests ?? 0);
    if (sample.verdict === "Ok" && isBusier) busiest.set(stretchOf(sample), sample);
  }
  const kept = new Set(busiest.values());
  return samples.filter(
    (sample, i) =>
      isBreach(i) ||
      (sample.at >= onset - HOUR_MS && sample.verdict !== "None") ||
      (sample.verdict === "Ok" && (kept.has(sample) || isBreach(i - 1) || isBreach(i + 1))),
  );
}

function pastSample(row: Row, at: number, sample: Sample): PastSample {
  const verdict = verdictOf(row, sample);
  if (sample.kind !== "Value") return { at, verdict };
  return {
    at,
    verdict,
    level: levelOf(row, sample.value),
    ...(sample.requests === undefined ? {} : { requests: sample.requests }),
  };
}

/** The higher, the worse. */
export function levelOf({ comparison }: Pick<Row, "comparison">, value: number): number {
  return comparison === "above" ? value : 1 / Math.max(value, Number.MIN_VALUE);
}

function formSamples(query: FormQuery, series: readonly Series[]): (at: number) => Sample {
  const of = (role: string): ReadonlyMap<number, number> =>
    pointsOf(series.find(({ labels }) => labels[ROLE] === role));
  const [first, second] = [of("first"), of("second")];
  const elements = (points: ReadonlyMap<number, number>, at: number): readonly Element[] => {
    const value = points.get(at);
    return value === undefined ? [] : [{ labels: {}, at, value }];
  };
  return (at) =>
    query.kind === "ratio"
      ? classifyRatio(query, elements(first, at), elements(second, at), undefined)
      : classifyQuantile(query, elements(first, at), elements(second, at));
}

function freeSamples(scale: number, series: readonly Series[]): (at: number) => Sample {
  const points = series.map(pointsOf);
  return (at) => {
    // Labels may change over a day, but at one instant there is one series.
    const [value, ...others] = points.flatMap((each) => each.get(at) ?? []);
    return value === undefined || others.length > 0 || !Number.isFinite(value)
      ? { kind: "NoData", detail: "no such value then" }
      : { kind: "Value", value: value * scale };
  };
}
