import type { Row } from "../decision/row.ts";
import type { Sample } from "../decision/sample.ts";
import type { Attribution } from "../decision/attribution/attribute.ts";
import type { PastRelease } from "./past-release.ts";

/** What would have been decided at an instant. Times in ms since the epoch. */
export interface PastDecision {
  readonly at: number;
  readonly action: "Rollback" | "Propose" | "Prepare" | "Notify" | "Held";
  readonly plan: string;
  readonly row: Row;
  readonly part: string;
  readonly value: number;
  /** First breach since the last Ok verdict. */
  readonly onset: number;
  readonly attribution: Attribution["verdict"];
  /** Which guard held it. */
  readonly holdReason: string | undefined;
  /** One sentence: what breached, since when, and why this was decided. */
  readonly reason: string;
  /** The part of it that tells why this was decided. */
  readonly why: string;
  readonly release: PastRelease | undefined;
  /** Revision that a rollback would have gone to. */
  readonly to: number | undefined;
  /** The first Ok verdict of the row afterwards; undefined while there was none to the end. */
  readonly recoveredAt: number | undefined;
}

/** Samples of all signals by what they said: Ok and Breach are verdicts. */
export type SampleClass = "Ok" | "Breach" | Exclude<Sample["kind"], "Value">;

export interface BacktestReport {
  readonly start: number;
  readonly end: number;
  readonly intervalMs: number;
  readonly decisions: readonly PastDecision[];
  readonly samples: Readonly<Record<SampleClass, number>>;
  /** Releases that began within the range. */
  readonly releases: number;
  /** Revisions that became known good in the replay. */
  readonly knownGood: readonly number[];
  /** What the reader must know about this policy and this history. One sentence each. */
  readonly notes: readonly string[];
}

/** What a replay cannot know and therefore assumes, for every reader of a report. */
export const ASSUMPTIONS: readonly string[] = [
  "after a rollback its release is gone until the next one: nothing more is decided about it, and a breach that it left behind counts as mended",
  "nobody answers a proposal (it expires, or runs when its runAfter is over), announces a hotfix, freezes the target or stops the operator",
  "the policy is enforced and has an executor whose rights suffice; all older revisions still exist",
  "breaches of other targets hold nothing back",
  "times saved run to the decision: a rollback then takes as long as the rollout of the older revision",
];

/** How long the breach of a rollback lasted in reality and how long with the rollback, ms. */
export function breachTimes(
  { onset, at, recoveredAt }: PastDecision,
  end: number,
): { readonly inReality: number; readonly here: number; readonly isOver: boolean } {
  return { inReality: (recoveredAt ?? end) - onset, here: at - onset, isOver: recoveredAt !== undefined };
}

/** Breach that would not have been, ms. */
export function savedMs({ decisions, end }: BacktestReport): number {
  return decisions
    .filter(({ action }) => action === "Rollback")
    .map((decision) => breachTimes(decision, end))
    .reduce((sum, { inReality, here }) => sum + Math.max(0, inReality - here), 0);
}
