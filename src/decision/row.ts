import type { Sample, Verdict } from "./sample.ts";

export type Severity = "SEV1" | "SEV2" | "SEV3" | "SEV4";
export type RowAction = "Rollback" | "Propose" | "Prepare" | "Notify";
export type Comparison = "above" | "below";
export type Unit = "ratio" | "seconds" | "count";

/** One line of the matrix, parsed: threshold in the signal's base unit, `forMs` in milliseconds. */
export interface Row {
  readonly name: string;
  readonly signal: string;
  readonly unit: Unit;
  readonly comparison: Comparison;
  readonly threshold: number;
  readonly forMs: number;
  readonly severity: Severity;
  readonly action: RowAction;
  /** The plan of the policy that it acts by. */
  readonly plan: string;
  /** How long a proposal waits for approval, ms. */
  readonly expiresAfterMs: number;
  /** After this a proposal runs unless it was denied, where the last release is the proven cause, ms. */
  readonly runAfterMs?: number | undefined;
  /** How long a hotfix is waited for from the moment the row fires, ms. */
  readonly hotfixDeadlineMs?: number | undefined;
}

/** Breach or Ok for a Value, None for everything else. A value on the threshold is no breach. */
export function verdictOf(row: Row, sample: Sample): Verdict {
  if (sample.kind !== "Value" || !Number.isFinite(sample.value)) {
    return "None";
  }
  const breaches = row.comparison === "above" ? sample.value > row.threshold : sample.value < row.threshold;
  return breaches ? "Breach" : "Ok";
}
