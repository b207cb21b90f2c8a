import type { Sample, UnknownSample } from "./sample.ts";

/** Intervals without a verdict after which a policy says that it cannot evaluate the signal. */
export const BLIND_INTERVALS = 10;

/** The same for a query that the server calls invalid; one such answer may come from a gateway. */
export const INVALID_INTERVALS = 2;

/** For how long a signal has been blind for no good reason. */
export interface SignalHealth {
  /** Evaluations in a row. */
  readonly blind: number;
  /** Of these the newest ones, in which the server called the query invalid. */
  readonly invalid: number;
  /** Why, of the latest one. */
  readonly detail: string | undefined;
}

export const SEEING: SignalHealth = { blind: 0, invalid: 0, detail: undefined };

/**
 * One more sample. Thin traffic, and no data where no pod is wanted, are normal (nights): they neither count nor
 * forgive, as they do not show that the signal works.
 */
export function observeHealth(state: SignalHealth, sample: Sample, desiredReplicas: number): SignalHealth {
  switch (sample.kind) {
    case "Value":
      return SEEING;
    case "InsufficientTraffic":
      return { ...state, invalid: 0 };
    case "NoData":
      return desiredReplicas === 0 ? { ...state, invalid: 0 } : blinder(state, sample);
    case "Stale":
    case "NaN":
    case "Unproven":
    case "Ambiguous":
    case "Error":
      return blinder(state, sample);
  }
}

export function cannotEvaluate(state: SignalHealth): boolean {
  return state.blind >= BLIND_INTERVALS || state.invalid >= INVALID_INTERVALS;
}

function blinder({ blind, invalid }: SignalHealth, { detail, isInvalidQuery }: UnknownSample): SignalHealth {
  return {
    blind: Math.min(blind + 1, BLIND_INTERVALS),
    invalid: isInvalidQuery === true ? Math.min(invalid + 1, INVALID_INTERVALS) : 0,
    detail,
  };
}
