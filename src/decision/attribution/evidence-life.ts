/** Evidence is gathered anew after so many intervals, and not sooner than this, ms. */
const HOLDS_INTERVALS = 4;
const HOLDS_MS = 60_000;

/** How long evidence that could be read speaks of a breach, ms. */
export function evidenceHoldsMs(intervalMs: number): number {
  return Math.max(HOLDS_MS, HOLDS_INTERVALS * intervalMs);
}
