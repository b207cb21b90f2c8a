import type { Interval } from "./evidence.ts";
import { ENOUGH_REQUESTS, shareOf, sumOf } from "./pods.ts";

/** How a group of pods came to be as bad as it is. Lengths in ms. */
export interface Course {
  /** First instant of the unbroken bad stretch that reaches until now. */
  readonly badSince: number;
  /** How long it was well before; 0 when it was never seen well. */
  readonly healthyMs: number;
  /** From a quarter to three quarters of what it is now; undefined when it was never seen well. */
  readonly riseMs: number | undefined;
}

/** Intervals that say how bad it is now. */
const NOW = 4;

/** Of a share that load explains, what the growth of the load must explain at least. */
const EXPLAINED = 0.6;

/**
 * Whether as much is bad since `badSince` as more load than was ever served well before would make: what cannot be
 * served of it. `load` holds the requests of all pods.
 */
export function loadExplains(load: readonly Interval[], { badSince, healthyMs }: Course): boolean {
  const well = load.filter(({ at }) => at < badSince && at >= badSince - healthyMs);
  const bad = load.filter(({ at }) => at >= badSince);
  const highest = Math.max(0, ...well.map(({ total }) => total));
  const sum = sumOf(bad);
  if (well.length === 0 || sum.total === 0) return false;
  return 1 - highest / (sum.total / bad.length) >= EXPLAINED * shareOf(sum);
}

/** Undefined when it is not bad now. `limit`: half of it is bad already. */
export function courseOf(seen: readonly Interval[], limit: number): Course | undefined {
  const intervals = seen.map((interval, i) => withNeighbours(interval, seen[i - 1], seen[i + 1]));
  const isBad = (interval: Interval): boolean => shareOf(interval) > limit / 2;
  const lastGood = intervals.findLastIndex((interval) => !isBad(interval));
  const first = intervals[lastGood + 1];
  if (first === undefined) return undefined;
  const now = shareOf(sumOf(intervals.slice(Math.max(lastGood + 1, intervals.length - NOW))));
  const high = intervals.findIndex((interval, i) => i > lastGood && shareOf(interval) >= 0.75 * now);
  const low = intervals.findLastIndex((interval, i) => i < high && shareOf(interval) <= 0.25 * now);
  const [from, to] = [intervals[low], intervals[high]];
  const well = wellUntil(intervals, lastGood, isBad);
  return {
    badSince: first.at,
    healthyMs: sumOf(well).total < ENOUGH_REQUESTS ? 0 : lengthOf(well),
    riseMs: from === undefined || to === undefined ? undefined : to.at - from.at,
  };
}

/** A handful of requests are told by what was before and after them as well. */
function withNeighbours(
  interval: Interval,
  before: Interval | undefined,
  after: Interval | undefined,
): Interval {
  if (interval.total >= ENOUGH_REQUESTS) return interval;
  const around = [before, interval, after].filter((each) => each !== undefined);
  return { at: interval.at, ...sumOf(around) };
}

/** The stretch without a bad interval that ends at `last`. */
function wellUntil(
  intervals: readonly Interval[],
  last: number,
  isBad: (interval: Interval) => boolean,
): readonly Interval[] {
  const before = intervals.findLastIndex((interval, i) => i < last && isBad(interval));
  return intervals.slice(before + 1, last + 1);
}

function lengthOf(intervals: readonly Interval[]): number {
  return (intervals.at(-1)?.at ?? 0) - (intervals[0]?.at ?? 0);
}
