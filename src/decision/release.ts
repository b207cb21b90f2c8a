import { clockTime, formatSpan } from "./sentence.ts";

/** A release of a workload is (ReplicaSet UID, revision): a template deployed again is a new release. */
export interface Release {
  readonly replicaSetUid: string;
  readonly revision: number;
  readonly podTemplateHash: string;
  /** When this revision became current (ms since the epoch); absent when nobody saw it. */
  readonly startedAt?: number | undefined;
  /** The request whose rollback made this release. */
  readonly productOfRollback?: { readonly request: string } | undefined;
}

export interface Attribution {
  readonly verdict: "Likely" | "Unlikely" | "Unknown";
  readonly reason: string;
}

export interface AttributionInput {
  readonly release: Release | undefined;
  /** First breach since the last Ok verdict. */
  readonly onset: number;
  /** Last Ok verdict before the onset; undefined when the breach touches the left edge of what is known. */
  readonly healthyAt: number | undefined;
  readonly lookbackMs: number;
  /** Longest unmeasured stretch before the release that still shows it was healthy until then. */
  readonly toleratedGapMs: number;
  readonly now: number;
}

/**
 * Did the live release do it? By time alone: Likely needs a known start not older than the lookback, an onset not
 * before it, and a healthy verdict shortly before it or after it. What cannot be known is Unknown, never Likely.
 */
export function attribute(input: AttributionInput): Attribution {
  const { release, onset, healthyAt, now } = input;
  if (release === undefined) {
    return unknown("the live release is not known");
  }
  const name = `revision ${release.revision}`;
  const startedAt = release.startedAt;
  if (startedAt === undefined) {
    return unknown(`the start of ${name} was not seen`);
  }
  if (onset < startedAt) {
    return unlikely(
      `the breach began at ${clockTime(onset, now)}, ${formatSpan(startedAt - onset)} before ${name} started: investigate other causes`,
    );
  }
  const age = now - startedAt;
  if (age > input.lookbackMs) {
    return unlikely(
      `${name} started ${formatSpan(age)} ago, longer than the lookback of ${formatSpan(input.lookbackMs)}: investigate other causes`,
    );
  }
  if (healthyAt === undefined) {
    return unknown(
      `the breach was there when measuring began at ${clockTime(onset, now)}, its beginning is not known`,
    );
  }
  if (startedAt - healthyAt > input.toleratedGapMs) {
    return unknown(
      `nothing was measured between ${clockTime(healthyAt, now)} and the start of ${name} at ${clockTime(startedAt, now)}: the breach may be older`,
    );
  }
  return {
    verdict: "Likely",
    reason: `the breach began at ${clockTime(onset, now)}, ${formatSpan(onset - startedAt)} after ${name} started`,
  };
}

function unknown(reason: string): Attribution {
  return { verdict: "Unknown", reason };
}

function unlikely(reason: string): Attribution {
  return { verdict: "Unlikely", reason };
}
