import { courseOf } from "./course.ts";
import type { PodEvidence } from "./evidence.ts";
import { ENOUGH_REQUESTS, shareOf, sumOf, together } from "./pods.ts";
import { isSudden } from "./sudden.ts";

/** A breach that few pods of a release carry while its others are well: those pods' node, not the release. */
export interface Concentration {
  readonly bad: number;
  /** Pods with enough requests to be judged. */
  readonly pods: number;
}

/** Share of the bad requests that the bad pods must have made: the rest is what healthy pods have as well. */
const CARRIED = 0.8;

/** Undefined where the breach is spread, or where it cannot be told. */
export function concentration(
  { limit, breachFrom, stepMs, pods }: PodEvidence,
  suspects: ReadonlySet<string>,
): Concentration | undefined {
  const judged = pods
    .filter(({ hash }) => suspects.has(hash))
    .map((pod) => ({ pod, counts: sumOf(pod.intervals.filter(({ at }) => at > breachFrom)) }))
    .filter(({ counts }) => counts.total >= ENOUGH_REQUESTS);
  const bad = judged.filter(({ counts }) => shareOf(counts) > limit);
  const healthy = judged.filter(({ counts }) => shareOf(counts) <= limit / 2);
  const isMinority = bad.length > 0 && bad.length * 2 <= judged.length;
  const isContrast = bad.length + healthy.length === judged.length;
  const badRequests = (some: typeof judged): number => sumOf(some.map(({ counts }) => counts)).bad;
  const isCarried = badRequests(bad) >= CARRIED * badRequests(judged);
  if (!isMinority || !isContrast || !isCarried) return undefined;
  // A leak reaches the oldest pods first; a node takes its pods at once.
  const course = courseOf(together(bad.map(({ pod }) => pod)), limit);
  const isLeak = course?.riseMs !== undefined && !isSudden(course.riseMs, stepMs);
  return isLeak ? undefined : { bad: bad.length, pods: judged.length };
}
