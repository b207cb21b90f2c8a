import type { Counts, Interval, PodCounts } from "./evidence.ts";

/** Fewer requests than this say nothing about a group of pods, or about one pod. */
export const ENOUGH_REQUESTS = 30;

export function sumOf(counts: Iterable<Counts>): Counts {
  let bad = 0;
  let total = 0;
  for (const one of counts) {
    bad += one.bad;
    total += one.total;
  }
  return { bad, total };
}

/** 0 without requests. */
export function shareOf({ bad, total }: Counts): number {
  return total > 0 ? bad / total : 0;
}

/** All pods together, oldest first. */
export function together(pods: readonly PodCounts[]): readonly Interval[] {
  const sums = new Map<number, Counts>();
  for (const { at, ...counts } of pods.flatMap(({ intervals }) => intervals)) {
    sums.set(at, sumOf([sums.get(at) ?? { bad: 0, total: 0 }, counts]));
  }
  return [...sums].map(([at, counts]) => ({ at, ...counts })).toSorted((a, b) => a.at - b.at);
}

/** Each pod's requests at the instants that `wanted` says. */
export function perPod(pods: readonly PodCounts[], wanted: (at: number) => boolean): readonly Counts[] {
  return pods.map(({ intervals }) => sumOf(intervals.filter(({ at }) => wanted(at))));
}
