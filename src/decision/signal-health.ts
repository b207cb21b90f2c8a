import type { Sample } from "./sample.ts";

/** Intervals without a verdict after which a policy says that it cannot evaluate the signal. */
export const BLIND_INTERVALS = 10;

/** For how long a signal has been blind for no good reason. */
export interface SignalHealth {
  /** Evaluations in a row. */
  readonly blind: number;
  /** Why, of the latest one. */
  readonly detail: string | undefined;
}

export const SEEING: SignalHealth = { blind: 0, detail: undefined };

/**
 * One more sample. Thin traffic, and no data where no pod is wanted, are normal (nights): they neither count nor
 * forgive, as they do not show that the signal works.
 */
export function observeHealth(state: SignalHealth, sample: Sample, desiredReplicas: number): SignalHealth {
  switch (sample.kind) {
    case "Value":
      return SEEING;
    case "InsufficientTraffic":
      return state;
    case "NoData":
      return desiredReplicas === 0 ? state : blinder(state, sample.detail);
    case "Stale":
    case "NaN":
    case "Unproven":
    case "Ambiguous":
    case "Error":
      return blinder(state, sample.detail);
  }
}

export function cannotEvaluate(state: SignalHealth): boolean {
  return state.blind >= BLIND_INTERVALS;
}

function blinder(state: SignalHealth, detail: string): SignalHealth {
  return { blind: Math.min(state.blind + 1, BLIND_INTERVALS), detail };
}
