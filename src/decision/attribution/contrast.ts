import { courseOf } from "./course.ts";
import type { Counts, Interval, PodCounts, PodEvidence } from "./evidence.ts";
import { ENOUGH_REQUESTS, perPod, shareOf, sumOf, together, until, withoutTheirEnd } from "./pods.ts";
import { proportionsZ, ranksZ, type Stratum } from "./statistics.ts";

/** How the suspected release's pods stand beside those of the releases before it, while both answered requests. */
export interface Contrast {
  /** Worse: only its pods breach. Same: the older ones breach as well. */
  readonly kind: "Worse" | "Same";
  /** Shares of bad requests. */
  readonly fresh: number;
  readonly old: number;
}

/** One-sided: of a thousand comparisons of equals about one is beyond the first, one of a hundred beyond the second. */
const SIGNIFICANT_SHARES = 3;
const SIGNIFICANT_RANKS = 2.33;

/** Undefined where it cannot be told. */
export function contrast(
  evidence: PodEvidence,
  suspects: ReadonlySet<string>,
  baseline: ReadonlySet<string>,
): Contrast | undefined {
  const pods = until(evidence.pods, evidence.begunUntil);
  const fresh = pods.filter(({ hash }) => suspects.has(hash));
  const old = pods.filter(({ hash }) => baseline.has(hash));
  return same(evidence, fresh, old) ?? worse(evidence, fresh, old);
}

/** What fails while a pod shuts down is seldom so much, and seldom as much as the new ones fail. */
const NO_SHUTDOWN = { fresh: 0.5, alike: 0.8 };

/** Old pods that breach to their end do so without the new version, whenever that was. */
function same(
  { limit, begunUntil, stepMs }: PodEvidence,
  fresh: readonly PodCounts[],
  old: readonly PodCounts[],
): Contrast | undefined {
  const a = nowOf(fresh, limit);
  if (a === undefined) return undefined;
  const lived = nowOf(withoutTheirEnd(old, begunUntil - 2 * stepMs), limit);
  if (lived !== undefined && lived >= a / 2) return { kind: "Same", fresh: a, old: lived };
  const all = nowOf(old, limit);
  return all !== undefined && a >= NO_SHUTDOWN.fresh && all >= NO_SHUTDOWN.alike * a
    ? { kind: "Same", fresh: a, old: all }
    : undefined;
}

/** The share of what was bad to the end, when that breaches. */
function nowOf(pods: readonly PodCounts[], limit: number): number | undefined {
  const since = courseOf(together(pods), limit)?.badSince;
  if (since === undefined) return undefined;
  const counts = sumOf(perPod(pods, (at) => at >= since));
  const share = shareOf(counts);
  return counts.total >= ENOUGH_REQUESTS && share > limit ? share : undefined;
}

/**
 * Only the new ones breach. Strata are intervals, so that nothing is compared across time: what broke after the old pods
 * had stopped would look like a difference between the two.
 */
function worse(
  evidence: PodEvidence,
  fresh: readonly PodCounts[],
  old: readonly PodCounts[],
): Contrast | undefined {
  const { limit } = evidence;
  const shared = sharedInstants(together(fresh), together(old));
  const since = courseOf(together(fresh), limit)?.badSince;
  // Pods are not scraped at the same moment: the first bad interval of one is not yet that of another.
  const compared = (at: number): boolean => shared.has(at) && since !== undefined && at > since;
  const shares = compare(fresh, old, compared);
  if (shares === undefined || shares.fresh <= limit || shares.old > Math.min(limit, shares.fresh / 2)) {
    return undefined;
  }
  return isProof(evidence, fresh, old, compared) ? { kind: "Worse", ...shares } : undefined;
}

/** More than chance, and not the affair of single pods. */
function isProof(
  { limit, slowerThan }: PodEvidence,
  fresh: readonly PodCounts[],
  old: readonly PodCounts[],
  compared: (at: number) => boolean,
): boolean {
  const pods = perPod(fresh, compared).filter(({ total }) => total >= ENOUGH_REQUESTS / 2);
  const bad = pods.filter((counts) => shareOf(counts) > limit / 2).length;
  if (bad < 2 || bad * 2 < pods.length) return false;
  // Requests are slow together (a cold cache, a pause), so that for latency pods are compared, not requests.
  return slowerThan === undefined
    ? proportionsZ(strataOfCounts(fresh, old, compared)) >= SIGNIFICANT_SHARES
    : ranksZ(strataOfShares(fresh, old, compared)) >= SIGNIFICANT_RANKS;
}

function compare(
  fresh: readonly PodCounts[],
  old: readonly PodCounts[],
  wanted: (at: number) => boolean,
): { readonly fresh: number; readonly old: number } | undefined {
  const a = sumOf(perPod(fresh, wanted));
  const b = sumOf(perPod(old, wanted));
  return a.total < ENOUGH_REQUESTS || b.total < ENOUGH_REQUESTS
    ? undefined
    : { fresh: shareOf(a), old: shareOf(b) };
}

/**
 * Instants at which both had requests, and the old ones in the next interval as well: they answered to the end of it,
 * and what fails while a pod shuts down does not count.
 */
function sharedInstants(fresh: readonly Interval[], old: readonly Interval[]): ReadonlySet<number> {
  const all = [...new Set([...fresh, ...old].map(({ at }) => at))].toSorted((a, b) => a - b);
  const [freshAt, oldAt] = [new Set(fresh.map(({ at }) => at)), new Set(old.map(({ at }) => at))];
  return new Set(all.filter((at, i) => freshAt.has(at) && oldAt.has(at) && oldAt.has(all[i + 1] ?? NaN)));
}

function strataOfCounts(
  fresh: readonly PodCounts[],
  old: readonly PodCounts[],
  wanted: (at: number) => boolean,
): readonly Stratum<Counts>[] {
  const others = new Map(together(old).map((interval) => [interval.at, interval]));
  return together(fresh).flatMap((a) => {
    const b = others.get(a.at);
    return b !== undefined && wanted(a.at) ? [{ a, b }] : [];
  });
}

function strataOfShares(
  fresh: readonly PodCounts[],
  old: readonly PodCounts[],
  wanted: (at: number) => boolean,
): readonly Stratum<readonly number[]>[] {
  const instants = together(fresh)
    .map(({ at }) => at)
    .filter(wanted);
  const sharesAt = (pods: readonly PodCounts[], at: number): readonly number[] =>
    pods.flatMap(({ intervals }) => intervals.filter((interval) => interval.at === at).map(shareOf));
  return instants.map((at) => ({ a: sharesAt(fresh, at), b: sharesAt(old, at) }));
}
