import type { Release } from "../release.ts";

/** A release that began before the breach, recently enough. */
export interface Candidate extends Release {
  readonly startedAt: number;
}

/**
 * The releases that may have done it, most suspected first: suspicion decays with the time between a start and the
 * onset, so the latest start before it comes first. Known-good releases are none of them: `previous` holds only what
 * came after the last of those. Going back to that one undoes whichever of these it was.
 */
export function candidatesOf(
  live: Candidate,
  previous: readonly Release[],
  onset: number,
  oldest: number,
): readonly Candidate[] {
  return [...previous, live]
    .filter((release): release is Candidate => release.startedAt !== undefined)
    .filter(({ startedAt }) => startedAt <= onset && startedAt >= oldest)
    .toSorted((a, b) => b.startedAt - a.startedAt || b.revision - a.revision);
}
