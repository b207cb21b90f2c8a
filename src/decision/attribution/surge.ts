import type { PastEvidence } from "./evidence.ts";

/** Traffic beyond what was ever served healthily. */
export interface Surge {
  /** Times the highest healthy traffic. */
  readonly factor: number;
  /** How far back the healthy traffic was looked at, ms. */
  readonly pastMs: number;
}

/** Below this factor it is an ordinary day's growth. */
const FAR_ABOVE = 1.5;
/** Above this factor it is more than the ups and downs of some minutes. */
const MORE = 1.3;
/** A shorter healthy past does not know what traffic is ordinary. */
const ENOUGH_MS = 1_800_000;

/** `before` is where the time of the older versions ends. */
export function surge({ samples }: PastEvidence, before: number, onset: number): Surge | undefined {
  const healthy = samples.filter(
    ({ at, verdict, requests }) => at < before && verdict === "Ok" && requests !== undefined,
  );
  const first = healthy[0];
  const highest = highestOf(healthy);
  const now = highestOf(samples.filter(({ at }) => at >= onset));
  const last = healthy.at(-1);
  if (first === undefined || last === undefined || last.at - first.at < ENOUGH_MS) return undefined;
  if (highest <= 0) return undefined;
  const factor = now / highest;
  return factor >= FAR_ABOVE ? { factor, pastMs: before - first.at } : undefined;
}

function highestOf(samples: PastEvidence["samples"]): number {
  return samples.reduce((highest, { requests = 0 }) => Math.max(highest, requests), 0);
}

/**
 * A release that was well until it met more traffic than it had seen, where older ones served that much healthily: it
 * fails under load only.
 */
export function carriedBefore(
  { samples }: PastEvidence,
  before: number,
  startedAt: number,
  onset: number,
): boolean {
  const healthy = samples.filter(({ verdict }) => verdict === "Ok");
  const older = healthy.filter(({ at }) => at < before);
  const own = healthy.filter(({ at }) => at >= startedAt && at < onset);
  const now = highestOf(samples.filter(({ at }) => at >= onset));
  return own.length > 0 && now > 0 && now >= MORE * highestOf(own) && now <= highestOf(older);
}
