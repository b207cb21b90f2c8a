import type { PastEvidence, PastSample } from "./evidence.ts";

/** The same breach with older versions. */
export type Recurrence =
  | { readonly kind: "SameClock"; readonly daysAgo: number; readonly at: number }
  | { readonly kind: "Episodes"; readonly count: number; readonly last: number };

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Breaches closer together than this are one story. */
const ONE_EPISODE_MS = 10 * MINUTE_MS;
/** How far from the same time of day a job that runs daily may begin. */
const SAME_CLOCK_MS = 10 * MINUTE_MS;
/** A single breach that is no older than this may be coming back. */
const RECENT_MS = 120 * MINUTE_MS;

interface Episode {
  readonly first: number;
  readonly last: number;
}

/**
 * What older versions did. `before` is where their time ends: the start of the first release that may be to blame. One
 * breach some hours ago is left out: by chance alone another one right after a release would be rare.
 */
export function recurrence(
  { samples, lastWeek, forMs, stepMs }: PastEvidence,
  before: number,
  onset: number,
): Recurrence | undefined {
  const older = samples.filter(({ at }) => at < before);
  const episodes = episodesOf(older, forMs, stepMs);
  const yesterday = atSameClock(episodes, onset - DAY_MS);
  if (yesterday !== undefined) return { kind: "SameClock", daysAgo: 1, at: yesterday.first };
  const week = atSameClock(episodesOf(lastWeek, forMs, stepMs), onset - 7 * DAY_MS);
  if (week !== undefined) return { kind: "SameClock", daysAgo: 7, at: week.first };
  const last = episodes.at(-1);
  if (last === undefined || (episodes.length === 1 && before - last.last > RECENT_MS)) return undefined;
  return { kind: "Episodes", count: episodes.length, last: last.first };
}

function atSameClock(episodes: readonly Episode[], clock: number): Episode | undefined {
  return episodes.find(({ first }) => Math.abs(first - clock) <= SAME_CLOCK_MS);
}

/** Breaches that were as long as the row wants, as far as samples so far apart can tell. */
function episodesOf(samples: readonly PastSample[], forMs: number, stepMs: number): readonly Episode[] {
  const runs: Episode[] = [];
  let run: Episode | undefined;
  for (const { at, verdict } of samples) {
    if (verdict === "Breach") {
      run = run !== undefined && at - run.last <= 2 * stepMs ? { ...run, last: at } : { first: at, last: at };
      if (runs.at(-1)?.first === run.first) runs.pop();
      runs.push(run);
    } else if (verdict === "Ok") {
      run = undefined;
    }
  }
  const long = runs.filter(({ first, last }) => last - first >= forMs - stepMs);
  return long.reduce<readonly Episode[]>((episodes, next) => {
    const before = episodes.at(-1);
    return before !== undefined && next.first - before.last < ONE_EPISODE_MS
      ? [...episodes.slice(0, -1), { first: before.first, last: next.last }]
      : [...episodes, next];
  }, []);
}
