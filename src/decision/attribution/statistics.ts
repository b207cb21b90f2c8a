import type { Counts } from "./evidence.ts";

/** Two groups seen under the same conditions, such as in the same interval. */
export interface Stratum<T> {
  readonly a: T;
  readonly b: T;
}

/**
 * Whether the share of bad requests is higher in `a`: the two-proportion z, over strata that are only compared within
 * themselves (Cochran–Mantel–Haenszel, without continuity correction). Zero where nothing can be told.
 */
export function proportionsZ(strata: readonly Stratum<Counts>[]): number {
  let difference = 0;
  let variance = 0;
  for (const { a, b } of strata) {
    const total = a.total + b.total;
    const bad = a.bad + b.bad;
    if (a.total <= 0 || b.total <= 0 || total <= 1) continue;
    difference += a.bad - (a.total * bad) / total;
    variance += (a.total * b.total * bad * (total - bad)) / (total * total * (total - 1));
  }
  return variance > 0 ? difference / Math.sqrt(variance) : 0;
}

/**
 * Whether values of `a` are higher: the z of Mann–Whitney's U with its correction for ties, over strata that are only
 * compared within themselves (van Elteren's weights). Zero where nothing can be told.
 */
export function ranksZ(strata: readonly Stratum<readonly number[]>[]): number {
  let difference = 0;
  let variance = 0;
  for (const { a, b } of strata) {
    const size = a.length + b.length;
    if (a.length === 0 || b.length === 0) continue;
    const weight = 1 / (size + 1);
    difference += weight * (wins(a, b) - (a.length * b.length) / 2);
    variance += weight ** 2 * varianceOfU(a, b);
  }
  return variance > 0 ? difference / Math.sqrt(variance) : 0;
}

/** U: pairs in which `a` is higher; a tie is half a pair. */
function wins(a: readonly number[], b: readonly number[]): number {
  let count = 0;
  for (const x of a) {
    for (const y of b) count += x > y ? 1 : x === y ? 0.5 : 0;
  }
  return count;
}

function varianceOfU(a: readonly number[], b: readonly number[]): number {
  const size = a.length + b.length;
  const sizes = new Map<number, number>();
  for (const value of [...a, ...b]) sizes.set(value, (sizes.get(value) ?? 0) + 1);
  const ties = [...sizes.values()].reduce((sum, n) => sum + (n ** 3 - n), 0);
  return ((a.length * b.length) / 12) * (size + 1 - ties / (size * (size - 1)));
}
