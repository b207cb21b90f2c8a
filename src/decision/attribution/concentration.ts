import type { PodEvidence } from "./evidence.ts";
import { ENOUGH_REQUESTS, perPod, shareOf, sumOf } from "./pods.ts";

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
  { limit, breachFrom, pods }: PodEvidence,
  suspects: ReadonlySet<string>,
): Concentration | undefined {
  const release = pods.filter(({ hash }) => suspects.has(hash));
  const judged = perPod(release, (at) => at > breachFrom).filter(({ total }) => total >= ENOUGH_REQUESTS);
  const bad = judged.filter((counts) => shareOf(counts) > limit);
  const healthy = judged.filter((counts) => shareOf(counts) <= limit / 2);
  const isMinority = bad.length > 0 && bad.length * 2 <= judged.length;
  const isContrast = bad.length + healthy.length === judged.length;
  const isCarried = sumOf(bad).bad >= CARRIED * sumOf(judged).bad;
  return isMinority && isContrast && isCarried ? { bad: bad.length, pods: judged.length } : undefined;
}
