import type { PastEvidence } from "./evidence.ts";

/** Began longer before the onset than its causes are looked for. */
const LONG_MS = 300_000;

/**
 * Since when the signal has been breaching on and off, never half as good as it has to be in between: each time that it
 * dips below the threshold its row forgets the onset, but what began then is still the same. Undefined when the onset is
 * where it began, or not long after.
 */
export function hoveringSince({ samples, limit }: PastEvidence, onset: number): number | undefined {
  const before = samples.filter(({ at, verdict }) => at < onset && verdict !== "None");
  const lastWell = before.findLastIndex(({ level = 0 }) => level <= limit / 2);
  const first = before.slice(lastWell + 1).find(({ verdict }) => verdict === "Breach");
  return first !== undefined && onset - first.at >= LONG_MS ? first.at : undefined;
}
