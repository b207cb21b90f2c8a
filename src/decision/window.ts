import { verdictOf, type Row } from "./row.ts";
import type { TimedSample, Verdict } from "./sample.ts";

/** Evaluations in a row without a verdict that neither fire nor clear a row; one more resets its run. */
export const TOLERATED_GAP = 2;

/**
 * What one row remembers between evaluations; constant size. All times are ms since the epoch.
 *
 * A run is the unbroken series of breaches that `for` is measured on. The onset outlives a broken run: a gap in the
 * data is no recovery, so only an Ok verdict forgets it. Without gaps the two begin together.
 */
export interface WindowState {
  readonly lastAt: number | undefined;
  /** Evaluations without a verdict since the last verdict, missed ones included. */
  readonly unseen: number;
  readonly run: Run | undefined;
  /** First breach since the last Ok verdict. */
  readonly onset: number | undefined;
  /** The last Ok verdict. Undefined with an onset = the breach touches the left edge of what is known. */
  readonly healthyAt: number | undefined;
}

export interface Run {
  readonly since: number;
  readonly lastBreachAt: number;
}

export function emptyWindow(): WindowState {
  return { lastAt: undefined, unseen: 0, run: undefined, onset: undefined, healthyAt: undefined };
}

/**
 * The state after one more evaluation. `intervalMs` is the distance of two evaluations: one that did not take place
 * counts as one without a verdict. An evaluation not newer than the last one changes nothing (rehydration overlaps).
 */
export function observe(state: WindowState, at: number, verdict: Verdict, intervalMs: number): WindowState {
  if (state.lastAt !== undefined && at <= state.lastAt) {
    return state;
  }
  const missed = state.lastAt === undefined ? 0 : missedBetween(state.lastAt, at, intervalMs);
  switch (verdict) {
    case "Ok":
      return { lastAt: at, unseen: 0, run: undefined, onset: undefined, healthyAt: at };
    case "Breach": {
      const run = state.unseen + missed > TOLERATED_GAP ? undefined : state.run;
      return {
        ...state,
        lastAt: at,
        unseen: 0,
        run: { since: run?.since ?? at, lastBreachAt: at },
        onset: state.onset ?? at,
      };
    }
    case "None": {
      const unseen = state.unseen + missed + 1;
      return { ...state, lastAt: at, unseen, run: unseen > TOLERATED_GAP ? undefined : state.run };
    }
  }
}

/** The state after a list of samples, oldest first: how a window is rebuilt from a range query. */
export function replay(row: Row, samples: readonly TimedSample[], intervalMs: number): WindowState {
  return samples.reduce(
    (state, { at, sample }) => observe(state, at, verdictOf(row, sample), intervalMs),
    emptyWindow(),
  );
}

/** True when the latest evaluation is a breach and the run, first and last included, spans at least `forMs`. */
export function fires(state: WindowState, forMs: number): boolean {
  return state.run !== undefined && state.run.lastBreachAt === state.lastAt && spans(state.run, forMs);
}

export type Phase = "Inactive" | "Pending" | "Firing";

/** For status: unlike `fires`, a firing row stays Firing through a tolerated gap. */
export function phaseOf(state: WindowState, forMs: number): Phase {
  if (state.run === undefined) {
    return "Inactive";
  }
  return spans(state.run, forMs) ? "Firing" : "Pending";
}

function spans(run: Run, forMs: number): boolean {
  return run.lastBreachAt - run.since >= forMs;
}

/** Rounded, so that a tick that comes late by less than half an interval counts as on time. */
function missedBetween(last: number, at: number, intervalMs: number): number {
  return Math.max(0, Math.round((at - last) / intervalMs) - 1);
}
