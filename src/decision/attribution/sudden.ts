/**
 * After so long without a fault, what breaks a release needs a reason: more load, something that fills up. Pods of a
 * rolling update have different ages, so that a fault that comes with age does not come to all of them at one moment.
 */
export const WELL_MS = 60_000;

/**
 * Whether it all changed at one moment. Pods are scraped one after the other, so that this moment is spread over up to
 * three intervals.
 */
export function isSudden(riseMs: number, stepMs: number): boolean {
  return riseMs <= 3 * stepMs;
}
