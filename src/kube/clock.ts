import { performance } from "node:perf_hooks";

/** A timer that can be cancelled; cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time as an argument. All lengths are milliseconds. */
export interface Clock {
  /** Wall clock, ms since 1970. For what people read; never for measuring a length of time. */
  now(): number;
  /** Never goes back, has no meaning outside this process. For deadlines and expiry. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls back once after `ms`, never before this function has returned. */
  setTimer(ms: number, callback: () => void): Timer;
}

/** A uniform number in [0, 1), as Math.random. */
export type Random = () => number;

/** setTimeout takes a signed 32-bit length and fires at once on anything longer. */
const longestTimeout = 2 ** 31 - 1;

/** The machine's clock. */
export function systemClock(): Clock {
  const setTimer = (ms: number, callback: () => void) => setLongTimer(ms, callback);
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimer,
    sleep: (ms, signal) => sleepWith(setTimer, ms, signal),
  };
}

/** `sleep` made of any `setTimer`. */
export function sleepWith(setTimer: Clock["setTimer"], ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = setTimer(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** RFC 3339 with six digits of a second, the form of MicroTime fields (Lease, Event). */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("Z", "000Z");
}

/** RFC 3339 in whole seconds, the form of Time fields (conditions). */
export function secondTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function setLongTimer(ms: number, callback: () => void): Timer {
  let handle: NodeJS.Timeout;
  const arm = (left: number) => {
    const step = Math.min(Math.max(left, 0), longestTimeout);
    handle = setTimeout(() => (left > step ? arm(left - step) : callback()), step);
  };
  arm(ms);
  return { cancel: () => clearTimeout(handle) };
}
