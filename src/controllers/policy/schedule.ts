import { createHash } from "node:crypto";

/**
 * Evaluations lie on a fixed grid of the wall clock, as those of Prometheus' rule groups do: every process evaluates
 * the same instants, so a window that is read back equals the one that was lost. All in ms since the epoch.
 */
export interface Grid {
  readonly intervalMs: number;
  readonly offsetMs: number;
}

/** Policies are spread over the interval by their UID. */
export function gridOf(uid: string, intervalMs: number): Grid {
  return { intervalMs, offsetMs: createHash("sha256").update(uid).digest().readUInt32BE() % intervalMs };
}

/** The newest instant of the grid that is not after `now`. */
export function newestInstant({ intervalMs, offsetMs }: Grid, now: number): number {
  return Math.floor((now - offsetMs) / intervalMs) * intervalMs + offsetMs;
}

/** From `now` to the next instant of the grid, more than 0 and at most one interval. */
export function untilNext(grid: Grid, now: number): number {
  return newestInstant(grid, now) + grid.intervalMs - now;
}
