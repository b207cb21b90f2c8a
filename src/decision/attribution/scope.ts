import type { BreachingWorkload, ScopeEvidence } from "./evidence.ts";

/** Of the other workloads, where the release was well for a while before: more than one of so many is too many. */
const NOTABLE = 0.2;

/**
 * The other workloads that began to breach when this one did, where they show that something is broken which several
 * use. One of them may be its own affair, or broken by ours: that counts only where it is the only other one, or where
 * the release had been well (`wasWell`) and there are few.
 */
export function breachTogether(
  { others, from, togetherMs, breaching }: ScopeEvidence,
  onset: number,
  wasWell: boolean,
): readonly BreachingWorkload[] {
  // What breached at the first instant already is older than that.
  const near = breaching.filter(({ since }) => since > from && Math.abs(since - onset) <= togetherMs);
  const isOne = near.length === 1 && (others === 1 || (wasWell && near.length >= NOTABLE * others));
  return near.length >= 2 || isOne ? near : [];
}
