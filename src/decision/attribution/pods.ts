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

/** The pods as they were until an instant. */
export function until(pods: readonly PodCounts[], last: number): readonly PodCounts[] {
  return pods.map((pod) => ({ ...pod, intervals: pod.intervals.filter(({ at }) => at <= last) }));
}

/** Without the interval in which each was shut down: what fails then is no fault of its version. */
export function withoutTheirEnd(pods: readonly PodCounts[], stillThere: number): readonly PodCounts[] {
  return pods.map((pod) => {
    const isGone = (pod.intervals.at(-1)?.at ?? stillThere) < stillThere;
    return isGone ? { ...pod, intervals: pod.intervals.slice(0, -1) } : pod;
  });
}

/** Each pod's requests at the instants that `wanted` says. */
export function perPod(pods: readonly PodCounts[], wanted: (at: number) => boolean): readonly Counts[] {
  return pods.map(({ intervals }) => sumOf(intervals.filter(({ at }) => wanted(at))));
}
