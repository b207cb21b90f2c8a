import type { Series } from "./answer.ts";
import type { Range } from "./roles.ts";

/** Instants of a range that is no finer than `finest` and has no more than `most` steps; it ends at `end`. All in ms. */
export function rangeUntil(end: number, start: number, finest: number, most: number): Range {
  const step = Math.max(finest, Math.ceil(Math.max(0, end - start) / most / 1000) * 1000);
  const steps = Math.max(1, Math.ceil((end - start) / step));
  return { start: end - steps * step, end, step };
}

export function instantsOf({ start, end, step }: Range): readonly number[] {
  const instants: number[] = [];
  for (let at = start; at <= end; at += step) instants.push(at);
  return instants;
}

/** The points of one series by instant; empty without a series. */
export function pointsOf(series: Series | undefined): ReadonlyMap<number, number> {
  return new Map((series?.points ?? []).map(({ at, value }) => [at, value]));
}
