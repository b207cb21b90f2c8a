import type { EvidenceQuestion, Interval, PodCounts, PodEvidence } from "../decision/attribution/evidence.ts";
import { numberOf, type Element, type Series } from "./answer.ts";
import { limited, limitsOf, ROLE, rolesOf, suffixed, type Limits } from "./evidence-query.ts";
import { instantsOf, pointsOf, rangeUntil } from "./evidence-range.ts";
import { countBy, labelName } from "./promql.ts";
import type { Range } from "./roles.ts";
import { quote, type Selector } from "./selector.ts";
import type { FormQuery, QuantileQuery } from "./signal-query.ts";

/** Older than this before the onset, old pods tell nothing of it. */
const BEFORE_ONSET_MS = 600_000;
/** What comes later than this after the onset tells nothing new of its cause. */
const AFTER_ONSET_MS = 600_000;
const BEFORE_START_MS = 60_000;
/** An earlier release may be to blame. */
const EARLIER_MS = 300_000;
const MOST_STEPS = 120;

/** Counters of each pod, so that what each answered in each interval can be told. */
export interface PodsPlan {
  readonly text: string;
  readonly range: Range;
  /** Of the counters in the answer: bad ones, or those that were fast enough. */
  readonly second: "bad" | "fine";
  readonly evidence: Omit<PodEvidence, "pods">;
}

/** A bound of a histogram: requests up to it are fine. In the server's unit, with the ways in which `le` writes it. */
export interface FineBound {
  readonly bound: number;
  readonly texts: readonly string[];
}

/**
 * Undefined where no pod can be told from another. `fine` is needed for a classic histogram only: the highest bound that
 * is not above the threshold, so that what breaches has more than 1 - q of its requests above it.
 */
export function planPods(
  query: FormQuery,
  part: Limits,
  question: EvidenceQuestion,
  scrapeMs: number,
  fine: FineBound | undefined,
): PodsPlan | undefined {
  const { row, onset, podLabel } = question;
  const hashes = hashesOf(question);
  if (hashes.length === 0) return undefined;
  const matcher = podMatcher(podLabel, hashes);
  const limits = limitsOf(query, part);
  const counters = countersOf(
    query,
    question,
    fine,
    (selector) => `sum by (${labelName(podLabel)}) (${limited(selector, limits, [matcher])})`,
  );
  if (counters === undefined) return undefined;
  const range = rangeOf(question, scrapeMs);
  return {
    text: rolesOf({ total: counters.total, [counters.role]: counters.second }),
    range,
    second: counters.role,
    evidence: {
      limit: counters.limit,
      ...(counters.slowerThan === undefined ? {} : { slowerThan: counters.slowerThan }),
      breachFrom: onset - query.windowMs,
      begunUntil: onset + row.forMs + range.step,
      until: range.end,
      stepMs: range.step,
    },
  };
}

/** The pods of an answer; undefined when there is none: the series have no such label. */
export function readPods(
  { range, second, evidence }: PodsPlan,
  question: EvidenceQuestion,
  series: readonly Series[],
): PodEvidence | undefined {
  const hashes = hashesOf(question);
  const byPod = Map.groupBy(series, ({ labels }) => labels[question.podLabel] ?? "");
  const pods = [...byPod].flatMap(([pod, own]): PodCounts[] => {
    const hash = hashes.find((each) => pod.includes(`-${each}-`));
    const of = (role: string): ReadonlyMap<number, number> =>
      pointsOf(own.find(({ labels }) => labels[ROLE] === role));
    return hash === undefined
      ? []
      : [{ pod, hash, intervals: intervalsOf(of("total"), of(second), second, range) }];
  });
  return pods.length === 0 ? undefined : { ...evidence, pods };
}

/** The bounds of a classic histogram by which a threshold can be judged. */
export function boundsQuery(query: QuantileQuery): string {
  const { histogram } = query.form;
  return countBy(["le"], limited(suffixed(histogram, "_bucket"), limitsOf(query, {})));
}

/** The highest of them that is not above the threshold, in the server's unit. */
export function fineBound(elements: readonly Element[], threshold: number): FineBound | undefined {
  const texts = elements.map(({ labels }) => labels["le"] ?? "");
  const bound = Math.max(...texts.map(numberOf).filter((each) => each <= threshold));
  return Number.isFinite(bound)
    ? { bound, texts: texts.filter((text) => numberOf(text) === bound) }
    : undefined;
}

interface Counters {
  readonly total: string;
  readonly role: "bad" | "fine";
  readonly second: string;
  /** Share of bad requests above which the row breaches. */
  readonly limit: number;
  readonly slowerThan?: number;
}

/** `sum` gives the sum of a counter by pod. */
function countersOf(
  query: FormQuery,
  { row }: EvidenceQuestion,
  fine: FineBound | undefined,
  sum: (selector: Selector) => string,
): Counters | undefined {
  const threshold = row.threshold / query.scale;
  if (query.kind === "ratio") {
    const total = sum(query.form.total);
    const counted = sum(query.form.bad);
    // A share that is too low: what is not counted is what is bad.
    return row.comparison === "above"
      ? { total, role: "bad", second: counted, limit: threshold }
      : { total, role: "fine", second: counted, limit: 1 - threshold };
  }
  if (row.comparison === "below") return undefined;
  const { histogram, format, quantile } = query.form;
  const limit = 1 - Number(quantile);
  switch (format) {
    case "Classic": {
      if (fine === undefined) return undefined;
      const total = sum(suffixed(histogram, "_count"));
      const bucket = suffixed(histogram, "_bucket");
      const le = { label: "le", text: `le=~${quote(fine.texts.map(escapeDots).join("|"))}` };
      const second = sum({ ...bucket, matchers: [...bucket.matchers, le] });
      return { total, role: "fine", second, limit, slowerThan: fine.bound * query.scale };
    }
    case "Native": {
      const all = sum(histogram);
      const total = `histogram_count(${all})`;
      const second = `histogram_fraction(-Inf, ${threshold}, ${all}) * ${total}`;
      return { total, role: "fine", second, limit, slowerThan: threshold * query.scale };
    }
  }
}

/** `le` is a number: dot, plus and minus are all that means more in a regular expression. */
function escapeDots(le: string): string {
  return le.replaceAll(/[.+]/g, "\\$&");
}

/** Only what can be a pod-template-hash: it goes into a regular expression. */
function hashesOf({ release, otherHashes }: EvidenceQuestion): readonly string[] {
  const all = [...new Set([release.podTemplateHash, ...otherHashes])];
  return all.filter((hash) => /^[a-z0-9]+$/.test(hash));
}

function podMatcher(podLabel: string, hashes: readonly string[]): string {
  return `${labelName(podLabel)}=~${quote(`.+-(?:${hashes.join("|")})-[a-z0-9]+`)}`;
}

/** From before the release, or as far before the onset as matters, to now, or as far after it. */
function rangeOf({ at, onset, release, row }: EvidenceQuestion, scrapeMs: number): Range {
  const began = Math.min((release.startedAt ?? onset) - BEFORE_START_MS, onset - EARLIER_MS);
  const start = Math.max(began, onset - BEFORE_ONSET_MS);
  const end = Math.min(at, onset + row.forMs + AFTER_ONSET_MS);
  return rangeUntil(end, start, scrapeMs, MOST_STEPS);
}

/** What counters grew by; an interval in which one went back, or in which a pod was first seen, says nothing. */
function intervalsOf(
  total: ReadonlyMap<number, number>,
  second: ReadonlyMap<number, number>,
  role: "bad" | "fine",
  range: Range,
): readonly Interval[] {
  const instants = instantsOf(range);
  return instants.slice(1).flatMap((at, i) => {
    const before = instants[i] ?? at;
    const [from, to] = [total.get(before), total.get(at)];
    if (from === undefined || to === undefined) return [];
    const grown = to - from;
    // No series yet: nothing was counted.
    const counted = (second.get(at) ?? 0) - (second.get(before) ?? 0);
    const bad = role === "bad" ? counted : grown - counted;
    return grown > 0 && bad >= 0 && bad <= grown ? [{ at, bad, total: grown }] : [];
  });
}
