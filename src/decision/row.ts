import type { Sample, Verdict } from "./sample.ts";

export type Severity = "SEV1" | "SEV2" | "SEV3" | "SEV4";
export type RowAction = "Rollback" | "Notify";
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
}

/** Breach or Ok for a Value, None for everything else. A value on the threshold is no breach. */
export function verdictOf(row: Row, sample: Sample): Verdict {
  if (sample.kind !== "Value" || !Number.isFinite(sample.value)) {
    return "None";
  }
  const breaches = row.comparison === "above" ? sample.value > row.threshold : sample.value < row.threshold;
  return breaches ? "Breach" : "Ok";
}
