import type { PastEvidence, PastSample } from "./evidence.ts";

/** A stretch of time, ms since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

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
/** So often within a day is no coincidence, at whatever time. */
export const MANY = 3;
/** A single breach that is no older than this may be coming back. */
const RECENT_MS = 120 * MINUTE_MS;

interface Episode {
  readonly first: number;
  readonly last: number;
  /** The worst of it. */
  readonly level: number;
}

/**
 * What older versions did, without those that were rolled back for it (`troubled`). `before` is where their time ends: the start of the first release that may be to blame. One
 * breach some hours ago is left out: by chance alone another one right after a release would be rare.
 */
export function recurrence(
  { samples, lastWeek, forMs, stepMs }: PastEvidence,
  before: number,
  onset: number,
  troubled: readonly Span[],
): Recurrence | undefined {
  // Noise up to a fifth is no excuse for half of the requests.
  const like = levelOf(samples.filter(({ at }) => at >= onset)) / 2;
  const episodesOf = (some: readonly PastSample[]): readonly Episode[] =>
    merged(
      longRuns(some, forMs, stepMs)
        .filter(({ level }) => level >= like)
        .filter(({ first }) => !troubled.some(({ from, to }) => first >= from && first < to)),
    );
  const episodes = episodesOf(samples.filter(({ at }) => at < before));
  const last = episodes.at(-1);
  if (last !== undefined && episodes.length >= MANY) {
    return { kind: "Episodes", count: episodes.length, last: last.first };
  }
  const yesterday = atSameClock(episodes, onset - DAY_MS);
  if (yesterday !== undefined) return { kind: "SameClock", daysAgo: 1, at: yesterday.first };
  const week = atSameClock(episodesOf(lastWeek), onset - 7 * DAY_MS);
  if (week !== undefined) return { kind: "SameClock", daysAgo: 7, at: week.first };
  if (last === undefined || (episodes.length === 1 && before - last.last > RECENT_MS)) return undefined;
  return { kind: "Episodes", count: episodes.length, last: last.first };
}

function atSameClock(episodes: readonly Episode[], clock: number): Episode | undefined {
  return episodes.find(({ first }) => Math.abs(first - clock) <= SAME_CLOCK_MS);
}

/** Breaches that were as long as the row wants, as far as samples so far apart can tell. */
function longRuns(samples: readonly PastSample[], forMs: number, stepMs: number): readonly Episode[] {
  const runs: PastSample[][] = [];
  let isRunning = false;
  for (const sample of samples) {
    if (sample.verdict === "None") continue;
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (sample.verdict === "Breach") {
      if (isRunning && last !== undefined && sample.at - last.at <= 2 * stepMs) run?.push(sample);
      else runs.push([sample]);
    }
    isRunning = sample.verdict === "Breach";
  }
  return runs
    .map((run) => ({ first: run[0]?.at ?? 0, last: run.at(-1)?.at ?? 0, level: levelOf(run) }))
    .filter(({ first, last }) => last - first >= forMs);
}

function merged(episodes: readonly Episode[]): readonly Episode[] {
  return episodes.reduce<readonly Episode[]>((before, next) => {
    const last = before.at(-1);
    return last !== undefined && next.first - last.last < ONE_EPISODE_MS
      ? [...before.slice(0, -1), { ...next, first: last.first }]
      : [...before, next];
  }, []);
}

function levelOf(samples: readonly PastSample[]): number {
  return samples.reduce((highest, { level = 0 }) => Math.max(highest, level), 0);
}
