import { CLASSES } from "./classes/index.ts";
import type { IncidentClass, Symptom } from "./incident-class.ts";
import type { Label } from "./label.ts";
import { randomOf } from "./random.ts";
import { SCRAPE_SECONDS, simulate, type Emit, type Expected } from "./simulate.ts";
import { BLOCK_SECONDS, Stage, type Profile, type StagedRelease } from "./stage.ts";

/** Fixed, so that a seed gives the same corpus on every day. Seconds since the epoch, on the grid of blocks. */
const EPOCH = Date.parse("2026-06-01T00:00:00Z") / 1000;
/** Incidents lie in so many blocks at different hours of different days. */
const SHORT_SLOTS = 12;
const LONG_SLOTS = 4;
/** A day of history and a block. */
const SLOT_SECONDS = 26 * 3_600;

/** Evaluation begins here: the hour before is what windows are read back from. */
const EVALUATED_FROM = 2_400;
/** Width of the window of every rate in the policies. */
const WINDOW_SECONDS = 60;

export interface IncidentPlan {
  readonly id: string;
  readonly of: IncidentClass;
  readonly seed: string;
  /** Incidents of one slot share their blocks. */
  readonly slot: number;
}

/** An incident and the truth about it. Instants in ms since the epoch. */
export interface Incident {
  readonly id: string;
  readonly className: string;
  readonly label: Label;
  readonly namespace: string;
  readonly app: string;
  readonly profile: Profile;
  readonly releases: readonly ReleaseRecord[];
  /** Revisions whose rollback mends it. */
  readonly bad: readonly number[];
  readonly from: number;
  readonly to: number;
  /** When it began to go wrong. */
  readonly faultAt: number | undefined;
  /** When the signal was to be expected to cross the threshold, chance left aside. */
  readonly breachAt: number | undefined;
}

export interface ReleaseRecord {
  readonly revision: number;
  readonly startedAt: number;
  readonly completedAt: number;
  readonly podTemplateHash: string;
  readonly image: string;
  readonly isKnownGood: boolean;
}

/** The incidents of a corpus; a smaller `scale` leaves some out and changes none of the others. */
export function planIncidents(seed: number, scale: number): readonly IncidentPlan[] {
  return CLASSES.flatMap((of) =>
    Array.from({ length: Math.max(1, Math.round(of.count * scale)) }, (_, index) => {
      const id = `${of.name}-${String(index + 1).padStart(3, "0")}`;
      const own = randomOf(`${seed}/${id}/options`);
      const isLong = of.options?.(own).hasHistory === true;
      const slot = isLong ? SHORT_SLOTS + (index % LONG_SLOTS) : index % SHORT_SLOTS;
      return { id, of, seed: `${seed}/${id}`, slot };
    }),
  );
}

/** Plays an incident; `emit` gets every sample of the service and its neighbours, in seconds since the epoch. */
export function playIncident({ id, of, seed, slot }: IncidentPlan, emit: Emit): Incident {
  const origin = EPOCH + slot * SLOT_SECONDS + 24 * 3_600;
  const random = randomOf(seed);
  const stage = new Stage(random, id, origin, of.options?.(randomOf(`${seed}/options`)));
  const { label, bad = [], shows, faultAt } = of.play(stage);
  let expected: readonly Expected[] | undefined;
  for (const app of stage.apps()) {
    const seen = simulate(app, BLOCK_SECONDS, random, (series, value, t) => emit(series, value, origin + t));
    expected ??= seen;
  }
  const at = (t: number) => Math.round((origin + t) * 1000);
  const crossing =
    shows === undefined ? undefined : firstCrossing(expected ?? [], shows, stage.live.startedAt);
  return {
    id,
    className: of.name,
    label,
    namespace: stage.namespace,
    app: stage.name,
    profile: stage.profile,
    releases: stage.releases.map((release) => record(release, at)),
    bad,
    from: at(EVALUATED_FROM),
    to: at(BLOCK_SECONDS - SCRAPE_SECONDS),
    faultAt: faultAt === undefined ? undefined : at(faultAt),
    breachAt: crossing === undefined ? undefined : at(crossing),
  };
}

function record(
  { revision, hash, startedAt, completedAt, isKnownGood }: StagedRelease,
  at: (t: number) => number,
): ReleaseRecord {
  return {
    revision,
    podTemplateHash: hash,
    image: `registry.example/app:v${revision}`,
    startedAt: at(startedAt),
    completedAt: at(completedAt),
    isKnownGood,
  };
}

/** The first second after `from` at which the share over one window is to be expected above the threshold. */
function firstCrossing(expected: readonly Expected[], shows: Symptom, from: number): number | undefined {
  const width = WINDOW_SECONDS / SCRAPE_SECONDS;
  for (let index = width - 1; index < expected.length; index += 1) {
    const window = expected.slice(index - width + 1, index + 1);
    const end = (expected[index]?.t ?? 0) + SCRAPE_SECONDS;
    const { share, limit } = shareOf(window, shows);
    if (end > from && share > limit) return end;
  }
  return undefined;
}

function shareOf(
  window: readonly Expected[],
  shows: Symptom,
): { readonly share: number; readonly limit: number } {
  const total = sum(window.flatMap(({ requests }) => [...requests.values()]));
  switch (shows.kind) {
    case "Errors":
      return {
        share: sum(window.flatMap(({ failures }) => [...failures.values()])) / total,
        limit: shows.above,
      };
    case "RouteErrors": {
      const of = (counts: (moment: Expected) => ReadonlyMap<string, number>) =>
        sum(window.map((moment) => counts(moment).get(shows.path) ?? 0));
      return { share: of(({ failures }) => failures) / of(({ requests }) => requests), limit: shows.above };
    }
    case "Slowness":
      // The 95th percentile is above a second where more than 5 % take longer.
      return { share: sum(window.map(({ slow }) => slow)) / total, limit: 0.05 };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
