import { DEFAULT_PLAN } from "../crds/default-plan.ts";
import { verdictOf, type Comparison, type Row, type RowAction, type Severity, type Unit } from "./row.ts";
import { WHOLE, type Reading, type Sample, type Verdict } from "./sample.ts";
import { emptyWindow, fires, observe, TOLERATED_GAP, type WindowState } from "./window.ts";

/** A row after one evaluation: what decisions and status read. `at` in ms since the epoch. */
export interface RowEvaluation {
  readonly row: Row;
  /** The label value that it speaks of, such as `route=/models`; WHOLE where the signal is not split. */
  readonly part: string;
  readonly at: number;
  readonly sample: Sample;
  readonly verdict: Verdict;
  readonly window: WindowState;
  readonly fires: boolean;
}

/** States by `stateKey`; a row without an entry starts empty. */
export type RowStates = ReadonlyMap<string, WindowState>;

/** Of the window that one row has on one part of its signal. */
export function stateKey(row: string, part: string): string {
  return part === WHOLE ? row : `${row}\n${part}`;
}

/**
 * One tick: every row against the reading of its signal, once for each of its parts. A signal without a reading gives no
 * verdict; neither does a part that a split reading no longer has, until its run is forgotten.
 */
export function evaluateRows(
  rows: readonly Row[],
  readings: ReadonlyMap<string, Reading>,
  states: RowStates,
  at: number,
  intervalMs: number,
): readonly RowEvaluation[] {
  const evaluations: RowEvaluation[] = [];
  for (const row of rows) {
    const reading = readings.get(row.signal) ?? notSampled(row.signal);
    for (const [part, sample] of partsOf(row, reading, states)) {
      const verdict = verdictOf(row, sample);
      const before = states.get(stateKey(row.name, part)) ?? emptyWindow();
      const window = observe(before, at, verdict, intervalMs);
      evaluations.push({ row, part, at, sample, verdict, window, fires: fires(window, row.forMs) });
    }
  }
  return evaluations;
}

/** The states to hand to the next tick. */
export function statesOf(evaluations: readonly RowEvaluation[]): RowStates {
  return new Map(evaluations.map(({ row, part, window }) => [stateKey(row.name, part), window]));
}

function partsOf(row: Row, reading: Reading, states: RowStates): Iterable<readonly [string, Sample]> {
  const known = knownParts(row.name, states);
  if (reading.kind !== "Split") {
    return known.length === 0 ? [[WHOLE, reading]] : known.map(([part]) => [part, reading]);
  }
  const gone = known.filter(([part, { unseen }]) => !reading.parts.has(part) && unseen < TOLERATED_GAP);
  const noSeries: Sample = { kind: "NoData", detail: "this label value has no series any more" };
  const parts = [...reading.parts, ...gone.map(([part]) => [part, noSeries] as const)];
  return parts.length === 0 ? [[WHOLE, { kind: "NoData", detail: "no label value has a series" }]] : parts;
}

function knownParts(row: string, states: RowStates): readonly (readonly [string, WindowState])[] {
  const prefix = stateKey(row, "*").slice(0, -1);
  return [...states]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, state]) => [key.slice(prefix.length), state]);
}

/** The firing rows, strongest action first; rows of the same action keep the order of the matrix. */
export function strongestFirst(evaluations: readonly RowEvaluation[]): readonly RowEvaluation[] {
  return evaluations
    .filter((evaluation) => evaluation.fires)
    .toSorted((a, b) => strength(b.row.action) - strength(a.row.action));
}

export function strength(action: RowAction): number {
  switch (action) {
    case "Rollback":
      return 4;
    case "Propose":
      return 3;
    case "Prepare":
      return 2;
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
  readonly plan?: string | undefined;
  readonly expiresAfter?: string | undefined;
  readonly runAfter?: string | undefined;
  readonly hotfixDeadline?: string | undefined;
}

const EXPIRES_AFTER_MS = 1_800_000;

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
  for (const { name, when, severity, action, plan, expiresAfter, runAfter, hotfixDeadline } of specs) {
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
        plan: plan ?? DEFAULT_PLAN,
        expiresAfterMs: expiresAfter === undefined ? EXPIRES_AFTER_MS : parseDuration(expiresAfter),
        ...(runAfter === undefined ? {} : { runAfterMs: parseDuration(runAfter) }),
        ...(hotfixDeadline === undefined ? {} : { hotfixDeadlineMs: parseDuration(hotfixDeadline) }),
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
