import { createHash } from "node:crypto";

/**
 * Evaluations lie on a fixed grid of the wall clock, as those of Prometheus' rule groups do: every process evaluates
 * the same instants, so a window that is read back equals the one that was lost. All in ms since the epoch.
 */
export interface Grid {
  readonly intervalMs: number;
  readonly offsetMs: number;
}

/** Grids of the same interval are so far apart at least: policies which are near each other then share a timer. */
const STEP_MS = 50;

/**
 * Keys are spread over the interval by their hash. Equal keys have the same grid; where one interval is a multiple of
 * the other, the instants of the longer one are among those of the shorter one.
 */
export function gridOf(key: string, intervalMs: number): Grid {
  const offsetMs = createHash("sha256").update(key).digest().readUInt32BE() % intervalMs;
  return { intervalMs, offsetMs: offsetMs - (offsetMs % STEP_MS) };
}

/** The newest instant of the grid that is not after `now`. */
export function newestInstant({ intervalMs, offsetMs }: Grid, now: number): number {
  return Math.floor((now - offsetMs) / intervalMs) * intervalMs + offsetMs;
}

/** From `now` to the next instant of the grid, more than 0 and at most one interval. */
export function untilNext(grid: Grid, now: number): number {
  return newestInstant(grid, now) + grid.intervalMs - now;
}
