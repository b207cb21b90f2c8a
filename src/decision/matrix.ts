import { verdictOf, type Comparison, type Row, type RowAction, type Severity, type Unit } from "./row.ts";
import type { Sample, Verdict } from "./sample.ts";
import { emptyWindow, fires, observe, type WindowState } from "./window.ts";

/** A row after one evaluation: what decisions and status read. `at` in ms since the epoch. */
export interface RowEvaluation {
  readonly row: Row;
  readonly at: number;
  readonly sample: Sample;
  readonly verdict: Verdict;
  readonly window: WindowState;
  readonly fires: boolean;
}

/** States by row name; a row without an entry starts empty. */
export type RowStates = ReadonlyMap<string, WindowState>;

/** One tick: every row against the sample of its signal. A signal without a sample gives no verdict. */
export function evaluateRows(
  rows: readonly Row[],
  samples: ReadonlyMap<string, Sample>,
  states: RowStates,
  at: number,
  intervalMs: number,
): readonly RowEvaluation[] {
  return rows.map((row) => {
    const sample = samples.get(row.signal) ?? notSampled(row.signal);
    const verdict = verdictOf(row, sample);
    const window = observe(states.get(row.name) ?? emptyWindow(), at, verdict, intervalMs);
    return { row, at, sample, verdict, window, fires: fires(window, row.forMs) };
  });
}

/** The states to hand to the next tick. */
export function statesOf(evaluations: readonly RowEvaluation[]): RowStates {
  return new Map(evaluations.map(({ row, window }) => [row.name, window]));
}

/** The firing rows, strongest action first; rows of the same action keep the order of the matrix. */
export function strongestFirst(evaluations: readonly RowEvaluation[]): readonly RowEvaluation[] {
  return evaluations
    .filter((evaluation) => evaluation.fires)
    .toSorted((a, b) => strength(b.row.action) - strength(a.row.action));
}

/** The numbers leave room for Propose and Prepare between the two. */
function strength(action: RowAction): number {
  switch (action) {
    case "Rollback":
      return 4;
    case "Notify":
      return 1;
  }
}

function notSampled(signal: string): Sample {
  return { kind: "Error", detail: `signal ${signal} was not sampled` };
}

/** A row as it stands in the policy. */
export interface RowSpec {
  readonly name: string;
  readonly when: {
    readonly signal: string;
    readonly above?: string | undefined;
    readonly below?: string | undefined;
    readonly for: string;
  };
  readonly severity: Severity;
  readonly action: RowAction;
}

export type ParsedMatrix =
  | { readonly kind: "Parsed"; readonly rows: readonly Row[] }
  | { readonly kind: "Refused"; readonly problems: readonly string[] };

/** Rows from the policy's matrix. `units` holds the unit of each signal by name; `parseDuration` gives ms. */
export function parseMatrix(
  specs: readonly RowSpec[],
  units: ReadonlyMap<string, Unit>,
  parseDuration: (text: string) => number,
): ParsedMatrix {
  const rows: Row[] = [];
  const problems: string[] = [];
  for (const { name, when, severity, action } of specs) {
    const unit = units.get(when.signal);
    const limit = limitOf(when);
    if (unit === undefined) {
      const known = [...units.keys()].join(", ");
      problems.push(`matrix row ${name}: signal "${when.signal}" is not defined; signals are: ${known}`);
    } else if (limit === undefined) {
      problems.push(`matrix row ${name}: exactly one of when.above and when.below must be a number`);
    } else {
      rows.push({
        name,
        signal: when.signal,
        unit,
        ...limit,
        forMs: parseDuration(when.for),
        severity,
        action,
      });
    }
  }
  return problems.length > 0 ? { kind: "Refused", problems } : { kind: "Parsed", rows };
}

function limitOf(
  when: RowSpec["when"],
): { readonly comparison: Comparison; readonly threshold: number } | undefined {
  const text = when.above ?? when.below;
  if (text === undefined || (when.above !== undefined && when.below !== undefined)) {
    return undefined;
  }
  const threshold = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(threshold)) {
    return undefined;
  }
  return { comparison: when.above === undefined ? "below" : "above", threshold };
}
