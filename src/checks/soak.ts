import type { CheckOutcome } from "../crds/rollback-request.ts";
import type { CheckSample } from "./check.ts";

/** A check is only Passed on at least this many verdicts. */
export const MINIMUM_SAMPLES = 3;

/** When one check is judged. Times in milliseconds since the epoch. */
export interface Soak {
  readonly name: string;
  readonly startAt: number;
  readonly endAt: number;
  /** How many Unsettled samples in a row are borne: a third of those that the soak is long. */
  readonly patience: number;
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
  const planned = Math.floor(length / times.intervalMs) + 1;
  return { name, startAt, endAt: startAt + length, patience: Math.floor(planned / 3) };
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
 * One failed sample fails the check at once, and so do Unsettled ones that last longer than its patience. It passes
 * when its soak is over with enough verdicts and the newest sample is one of them; anything less is Inconclusive: no
 * data is never Passed. Pure.
 */
export function judge(record: CheckRecord, now: number): CheckVerdict {
  const settled = record.samples.filter(({ outcome }) => outcome !== "Unsettled");
  const verdicts = settled.filter(({ outcome }) => outcome !== "NoVerdict").length;
  const failed = record.samples.find(({ outcome }) => outcome === "Fail");
  if (failed !== undefined) return { outcome: "Failed", value: failed.value, verdicts };
  const last = record.samples.at(-1);
  const value = last?.value ?? "no sample yet";
  const lasting = lastingTrouble(record);
  if (lasting !== undefined) return { outcome: "Failed", value: lasting, verdicts };
  // A slow operator takes its samples late: too few of them is no lack of data.
  const early = now < record.soak.endAt || settled.length < MINIMUM_SAMPLES;
  // What is Unsettled at the end is looked at again: its patience is soon over, one way or the other.
  if (early || last === undefined || last.outcome === "Unsettled") {
    return { outcome: "Pending", value, verdicts };
  }
  const proven = verdicts >= MINIMUM_SAMPLES && last.outcome === "Pass";
  return { outcome: proven ? "Passed" : "Inconclusive", value, verdicts };
}

/** What the newest of too many Unsettled samples in a row said. Samples without a verdict neither end nor lengthen it. */
function lastingTrouble({ soak, samples }: CheckRecord): string | undefined {
  let run = 0;
  for (const { outcome, value } of samples) {
    if (outcome === "Unsettled") run += 1;
    else if (outcome !== "NoVerdict") run = 0;
    if (run > soak.patience) return `${value}, for ${run} samples`;
  }
  return undefined;
}
