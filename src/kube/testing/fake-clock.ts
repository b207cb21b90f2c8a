import { sleepWith, type Clock, type Timer } from "../clock.ts";

/** A clock that stands still until it is told to move. */
export interface FakeClock extends Clock {
  /**
   * Moves on by `ms`, firing due timers in order of time; after each, lets promises and pending I/O callbacks run, so
   * that timers which those set inside the span fire too.
   */
  advance(ms: number): Promise<void>;
  /** Timers that wait. */
  readonly pending: number;
  /** Time from now until the first timer, ms; undefined when none waits. */
  readonly nextInMs: number | undefined;
}

/** A fake clock; wall and monotonic time run together, `monotonic` starting at 0. */
export function createFakeClock(startEpochMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  interface Entry {
    readonly at: number;
    readonly order: number;
    readonly callback: () => void;
  }
  const timers = new Set<Entry>();
  let elapsed = 0;
  let order = 0;

  function setTimer(ms: number, callback: () => void): Timer {
    order += 1;
    const entry = { at: elapsed + Math.max(0, ms), order, callback };
    timers.add(entry);
    return { cancel: () => void timers.delete(entry) };
  }

  function first(): Entry | undefined {
    let best: Entry | undefined;
    for (const each of timers) {
      if (best === undefined || each.at < best.at || (each.at === best.at && each.order < best.order))
        best = each;
    }
    return best;
  }

  return {
    now: () => startEpochMs + elapsed,
    monotonic: () => elapsed,
    setTimer,
    sleep: (ms, signal) => sleepWith(setTimer, ms, signal),
    async advance(ms) {
      const end = elapsed + ms;
      await settle();
      for (let next = first(); next !== undefined && next.at <= end; next = first()) {
        timers.delete(next);
        elapsed = Math.max(elapsed, next.at);
        next.callback();
        await settle();
      }
      elapsed = end;
      await settle();
    },
    get pending() {
      return timers.size;
    },
    get nextInMs() {
      const next = first();
      return next === undefined ? undefined : next.at - elapsed;
    },
  };
}

/** Lets everything run that needs no time: chains of promises, and callbacks of I/O that is ready. */
export async function settle(rounds: number = 3): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for a condition that real I/O brings about; gives up after 5 s of real time. */
export async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`never came true: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
