import type { BreachingWorkload, ScopeEvidence } from "./evidence.ts";

/**
 * The other workloads that began to breach when this one did, where they show that something is broken which several
 * use. One of many is its own affair, such as a release of its own; the only other one is as good as all.
 */
export function breachTogether(
  { others, from, togetherMs, breaching }: ScopeEvidence,
  onset: number,
): readonly BreachingWorkload[] {
  // What breached at the first instant already is older than that.
  const near = breaching.filter(({ since }) => since > from && Math.abs(since - onset) <= togetherMs);
  return near.length >= 2 || (near.length === 1 && others === 1) ? near : [];
}
