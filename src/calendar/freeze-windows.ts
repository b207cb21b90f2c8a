import { Cron } from "croner";
import { parseDuration } from "../crds/duration.ts";
import type { FreezeWindow } from "../crds/policy-guards.ts";
import type { OpenFreeze } from "../decision/guards/guard.ts";

/** The freeze windows of one policy, ready to be asked. */
export interface FreezeCalendar {
  /** Those that are open at an instant (ms since the epoch). */
  openAt(now: number): readonly OpenFreeze[];
}

export type ParsedCalendar =
  | { readonly kind: "Parsed"; readonly calendar: FreezeCalendar }
  | { readonly kind: "Refused"; readonly problems: readonly string[] };

/** A schedule that does not begin once in this time never does, in any practical sense; it bounds the search too. */
const FORESEEN_YEARS = 10;

const MINUTE_MS = 60_000;

/** What was read before: the same windows are asked about again and again. */
const known = new WeakMap<readonly FreezeWindow[], ParsedCalendar>();

/** Reads the windows of a policy; a schedule or time zone that does not exist is a problem in words. */
export function parseFreezeWindows(windows: readonly FreezeWindow[]): ParsedCalendar {
  const before = known.get(windows);
  if (before !== undefined) return before;
  const read = readWindows(windows);
  known.set(windows, read);
  return read;
}

function readWindows(windows: readonly FreezeWindow[]): ParsedCalendar {
  const problems: string[] = [];
  const parsed = windows.flatMap((window) => {
    const cron = parseCron(window);
    if (typeof cron === "string") {
      problems.push(`guards.freeze ${window.name}: ${cron}`);
      return [];
    }
    return [{ window, cron, lastStart: lastStartOf(cron), durationMs: parseDuration(window.duration) }];
  });
  // To find that one never begins is the longest search: one is told at a time.
  const never = problems.length === 0 ? parsed.find(({ cron }) => cron.nextRun() === null) : undefined;
  if (never !== undefined) {
    const { name, schedule, timeZone } = never.window;
    problems.push(
      `guards.freeze ${name}: schedule "${schedule}" in time zone "${timeZone}" does not begin in the next ${FORESEEN_YEARS} years`,
    );
  }
  if (problems.length > 0) return { kind: "Refused", problems };
  return {
    kind: "Parsed",
    calendar: {
      openAt: (now) =>
        parsed.flatMap(({ window: { name, allow }, lastStart, durationMs }) => {
          const until = lastStart(now) + durationMs;
          return until > now ? [{ name, allow, until }] : [];
        }),
    },
  };
}

function parseCron({ schedule, timeZone }: FreezeWindow): Cron | string {
  if (schedule.trim().split(/\s+/).length !== 5) {
    return `schedule "${schedule}" must have five fields: minute, hour, day of month, month, day of week`;
  }
  if (!isTimeZone(timeZone)) return `unknown time zone "${timeZone}"`;
  try {
    // Without years a search for what never comes goes on for a thousand of them.
    const years = `2000-${new Date().getFullYear() + FORESEEN_YEARS}`;
    const pattern = `0 ${schedule.trim()} ${years}`;
    return new Cron(pattern, { timezone: timeZone, mode: "7-part", domAndDow: false });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `schedule "${schedule}" cannot be read: ${why}`;
  }
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone }).format(0);
    return true;
  } catch {
    return false;
  }
}

/** Tells the newest start that is not after an instant, ms since the epoch; -Infinity before the first one. */
function lastStartOf(cron: Cron): (now: number) => number {
  let minute: number | undefined;
  let start = -Infinity;
  return (now) => {
    // Windows begin at whole minutes: within one, the answer stays.
    const asked = Math.floor(now / MINUTE_MS);
    if (asked !== minute) {
      // The search is for starts before an instant; one at the instant itself counts.
      start = cron.previousRuns(1, new Date(now + 1))[0]?.getTime() ?? -Infinity;
      minute = asked;
    }
    return start;
  };
}
