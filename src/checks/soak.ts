import type { CheckOutcome } from "../crds/rollback-request.ts";
import type { CheckSample } from "./check.ts";

/** A check is only Passed on at least this many verdicts. */
export const MINIMUM_SAMPLES = 3;

/** When one check is judged. Times in milliseconds since the epoch. */
export interface Soak {
  readonly name: string;
  readonly startAt: number;
  readonly endAt: number;
}

export interface SoakTimes {
  /** End of the last step, milliseconds since the epoch. */
  readonly finishedAt: number;
  readonly settleMs: number;
  readonly soakMs: number;
  readonly intervalMs: number;
}

/** A check's soak begins when everything it looks back on lies after the rollback, and is long enough to judge. */
export function soakOf(name: string, windowMs: number, times: SoakTimes): Soak {
  const startAt = times.finishedAt + Math.max(times.settleMs, windowMs);
  const length = Math.max(times.soakMs, (MINIMUM_SAMPLES - 1) * times.intervalMs);
  return { name, startAt, endAt: startAt + length };
}

export interface CheckRecord {
  readonly soak: Soak;
  readonly samples: readonly CheckSample[];
}

export interface CheckVerdict {
  readonly outcome: CheckOutcome;
  /** The newest value, or the one that failed. */
  readonly value: string;
  /** Samples that were a verdict. */
  readonly verdicts: number;
}

/**
 * One failed sample fails the check at once. It passes when its soak is over with enough verdicts and the newest
 * sample is one of them; anything less is Inconclusive: no data is never Passed.
 */
export function judge(record: CheckRecord, now: number): CheckVerdict {
  const verdicts = record.samples.filter(({ outcome }) => outcome !== "NoVerdict").length;
  const failed = record.samples.find(({ outcome }) => outcome === "Fail");
  if (failed !== undefined) return { outcome: "Failed", value: failed.value, verdicts };
  const last = record.samples.at(-1);
  const value = last?.value ?? "no sample yet";
  // A slow operator takes its samples late: too few of them is no lack of data.
  if (now < record.soak.endAt || last === undefined || record.samples.length < MINIMUM_SAMPLES) {
    return { outcome: "Pending", value, verdicts };
  }
  const proven = verdicts >= MINIMUM_SAMPLES && last.outcome === "Pass";
  return { outcome: proven ? "Passed" : "Inconclusive", value, verdicts };
}
