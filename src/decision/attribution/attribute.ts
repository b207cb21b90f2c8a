import { causeBegan, causeName, type Release } from "../release.ts";
import { clockTime, formatSpan } from "../sentence.ts";
import { candidatesOf, type Candidate } from "./candidates.ts";
import type { Evidence } from "./evidence.ts";
import type { Span } from "./recurrence.ts";
import { judge, type Opinion } from "./rules.ts";

export interface Attribution {
  /** Caused: proven beside the release before it. Likely: nothing known speaks against it. */
  readonly verdict: "Caused" | "Likely" | "Unlikely" | "Unknown";
  /** One sentence for people. */
  readonly reason: string;
  /** The release that the verdict speaks of, when it is not the live one: the live one did not mend it. */
  readonly cause?: Release | undefined;
  /** The part of the reason that comes from evidence, for a sentence that has told the times already. */
  readonly finding?: string | undefined;
}

export interface AttributionInput {
  readonly release: Release | undefined;
  /** Releases after the last known good one and before the live one, oldest first. */
  readonly previous?: readonly Release[];
  /** When releases ran that were rolled back for cause, as far as that is known. */
  readonly troubled?: readonly Span[];
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
 * Did the last release do it? Time comes first: a release with a known start, not older than the lookback, with the
 * onset after it and health shortly before it. What is left is judged by the evidence: votes for the release, vetoes
 * against it (after Gandalf, NSDI 2020). What cannot be known is Unknown, never Likely.
 */
export function attribute(input: AttributionInput): Attribution {
  const { release, previous = [], troubled = [], evidence } = input;
  const { onset, healthyAt, lookbackMs, toleratedGapMs, now } = input;
  if (release === undefined) {
    return unknown("the live release is not known");
  }
  const name = causeName(release);
  const startedAt = release.startedAt;
  if (startedAt === undefined) {
    return unknown(`the start of ${name} was not seen`);
  }
  const candidates = candidatesOf({ ...release, startedAt }, previous, onset, now - lookbackMs);
  const [first] = candidates;
  if (first === undefined) {
    return onset < startedAt ? beforeTheRelease(onset, startedAt, name, now) : tooOld(startedAt, input, name);
  }
  if (healthyAt === undefined) {
    return unknown(
      `the breach was there when measuring began at ${clockTime(onset, now)}, its beginning is not known`,
    );
  }
  if (first.startedAt - healthyAt > toleratedGapMs) {
    return unknown(
      `nothing was measured between ${clockTime(healthyAt, now)} and ${clockTime(first.startedAt, now)}, when ${causeBegan(first)}: the breach may be older`,
    );
  }
  const live = { ...release, startedAt };
  const opinion = judge({ candidates, live, evidence: evidence ?? {}, onset, troubled, now });
  return worded(opinion, release, onset, now);
}

function worded(
  { verdict, cause, finding }: Opinion,
  live: Release,
  onset: number,
  now: number,
): Attribution {
  const isLive = cause.revision === live.revision && cause.replicaSetUid === live.replicaSetUid;
  const time = `the breach began at ${clockTime(onset, now)}, ${againstStart(onset, cause)}`;
  return {
    verdict,
    reason: `${time}; ${finding}`,
    ...(isLive ? {} : { cause }),
    finding,
  };
}

function againstStart(onset: number, cause: Candidate): string {
  return `${formatSpan(onset - cause.startedAt)} after ${causeBegan(cause)}`;
}

function beforeTheRelease(onset: number, startedAt: number, name: string, now: number): Attribution {
  return unlikely(
    `the breach began at ${clockTime(onset, now)}, ${formatSpan(startedAt - onset)} before ${name} started: investigate other causes`,
  );
}

function tooOld(startedAt: number, { now, lookbackMs }: AttributionInput, name: string): Attribution {
  return unlikely(
    `${name} started ${formatSpan(now - startedAt)} ago, longer than the lookback of ${formatSpan(lookbackMs)}: investigate other causes`,
  );
}

function unknown(reason: string): Attribution {
  return { verdict: "Unknown", reason };
}

function unlikely(reason: string): Attribution {
  return { verdict: "Unlikely", reason };
}
