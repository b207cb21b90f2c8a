import type { Random } from "./clock.ts";

/** Exponential backoff: base, base*2, base*4 ... up to max, each made up to `jitter` (a share) shorter. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Share of the delay that is random, 0 to 1; 0.5 by default. */
  readonly jitter?: number;
}

/** Delay in ms before attempt `failures + 1`, after `failures` (1 or more) failures in a row. Pure. */
export function backoffDelay(failures: number, options: BackoffOptions, random: Random): number {
  // 2 ** 1024 is Infinity, which the minimum handles; a negative exponent would give less than the base.
  const full = Math.min(options.maxMs, options.baseMs * 2 ** Math.max(0, failures - 1));
  return full * (1 - (options.jitter ?? 0.5) * random());
}

/** A backoff that counts its own failures. */
export interface Backoff {
  /** Counts one more failure and returns how many ms to wait. */
  next(): number;
  /** Forgets the failures. */
  reset(): void;
}

/** A counting backoff for one loop. */
export function createBackoff(options: BackoffOptions, random: Random): Backoff {
  let failures = 0;
  return {
    next() {
      failures += 1;
      return backoffDelay(failures, options, random);
    },
    reset() {
      failures = 0;
    },
  };
}
