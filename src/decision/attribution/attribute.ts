import type { Release } from "../release.ts";
import { clockTime, formatSpan } from "../sentence.ts";
import type { Evidence } from "./evidence.ts";

export interface Attribution {
  /** Caused: proven beside the release before it. Likely: nothing known speaks against it. */
  readonly verdict: "Caused" | "Likely" | "Unlikely" | "Unknown";
  /** One sentence for people. */
  readonly reason: string;
}

export interface AttributionInput {
  readonly release: Release | undefined;
  /** Releases after the last known good one and before the live one, oldest first. */
  readonly previous?: readonly Release[];
  /** What the signal's source found out; undefined where it can tell nothing: then time alone decides. */
  readonly evidence: Evidence | undefined;
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
  const { release, onset, healthyAt, now, evidence } = input;
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
  if (evidence?.failed !== undefined) {
    return unknown(`the evidence could not be read: ${evidence.failed}`);
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
