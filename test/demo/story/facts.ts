import type { RollbackRequestStatus } from "../../../src/crds/rollback-request.ts";

export type FactName =
  | "canary"
  | "settings"
  | "release"
  | "seen"
  | "breach"
  | "held"
  | "asked"
  | "decided"
  | "traffic"
  | "drained"
  | "scaled"
  | "restored"
  | "patched"
  | "first pod"
  | "complete"
  | "healthy"
  | "clean"
  | "verified";

/** Something that the demo saw with its own eyes, at `at` (ms since the epoch). */
export interface Fact {
  readonly name: FactName;
  readonly at: number;
  readonly text: string;
}

/** One bad release and its end. */
export interface Chapter {
  readonly title: string;
  readonly releasedAt: number;
  readonly request: string;
  readonly facts: readonly Fact[];
  /** Largest difference between a time of `status.timeline` and our own sighting, ms. */
  readonly largestDifferenceMs: number;
}

export type Timeline = NonNullable<RollbackRequestStatus["timeline"]>;

/** How far a sighting and what the operator says may be apart: an evaluation, a scrape and some load. */
export const TOLERANCE_MS = 2000;

/** Which time of the operator's timeline speaks of which fact. */
const SAME: Partial<Record<FactName, keyof Timeline>> = {
  release: "released",
  breach: "breached",
  decided: "decided",
  asked: "accepted",
  patched: "applied",
  // Of several steps the first one's act.
  traffic: "applied",
  complete: "completed",
  verified: "verified",
};

/** ` +15.3 s  decided    error-rate 22% > 10% for 10s` */
export function factLine(fact: Fact, releasedAt: number): string {
  const seconds = ((fact.at - releasedAt) / 1000).toFixed(1);
  return `${`+${seconds} s`.padStart(10)}  ${fact.name.padEnd(10)} ${fact.text}`;
}

/**
 * Compares what the operator says of itself with what was seen, for the facts named. Returns the largest difference
 * in ms; throws with one line for each time that is missing or off by more than two seconds.
 */
export function compareTimeline(
  facts: readonly Fact[],
  timeline: Timeline | undefined,
  names: readonly FactName[],
): number {
  const problems: string[] = [];
  let largest = 0;
  for (const name of names) {
    const fact = facts.find((each) => each.name === name);
    const key = SAME[name];
    const told = key === undefined ? undefined : timeline?.[key];
    if (fact === undefined || told === undefined) {
      problems.push(`status.timeline.${key ?? name} is not there, ${name} was seen`);
      continue;
    }
    const difference = Date.parse(told) - fact.at;
    largest = Math.max(largest, Math.abs(difference));
    if (Math.abs(difference) > TOLERANCE_MS) {
      problems.push(
        `status.timeline.${key} is ${told}, ${name} was seen ${(Math.abs(difference) / 1000).toFixed(1)} s ${difference > 0 ? "earlier" : "later"}`,
      );
    }
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return largest;
}
