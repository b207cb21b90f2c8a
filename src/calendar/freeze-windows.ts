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

/** A window that begins more often than this within its own duration is open for ever, in any practical sense. */
const MOST_STARTS = 1_000;

/** Reads the windows of a policy; a schedule or time zone that does not exist is a problem in words. */
export function parseFreezeWindows(windows: readonly FreezeWindow[]): ParsedCalendar {
  const problems: string[] = [];
  const parsed = windows.flatMap((window) => {
    const cron = parseCron(window);
    if (typeof cron === "string") {
      problems.push(`guards.freeze ${window.name}: ${cron}`);
      return [];
    }
    return [{ window, cron, durationMs: parseDuration(window.duration) }];
  });
  if (problems.length > 0) return { kind: "Refused", problems };
  return {
    kind: "Parsed",
    calendar: {
      openAt: (now) =>
        parsed.flatMap(({ window, cron, durationMs }) => {
          const start = lastStart(cron, now - durationMs, now);
          const { name, allow } = window;
          return start === undefined ? [] : [{ name, allow, until: start + durationMs }];
        }),
    },
  };
}

function parseCron({ schedule, timeZone }: FreezeWindow): Cron | string {
  if (schedule.trim().split(/\s+/).length !== 5) {
    return `schedule "${schedule}" must have five fields: minute, hour, day of month, month, day of week`;
  }
  try {
    const cron = new Cron(schedule, { timezone: timeZone, mode: "5-part", domAndDow: false });
    // Time zones are only looked up when a time is asked for.
    cron.nextRun(new Date(0));
    return cron;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `schedule "${schedule}" in time zone "${timeZone}" cannot be read: ${why}`;
  }
}

/** The newest start after `from` and not after `to`, ms since the epoch. */
function lastStart(cron: Cron, from: number, to: number): number | undefined {
  let newest: number | undefined;
  let cursor = new Date(from);
  for (let count = 0; count < MOST_STARTS; count += 1) {
    const next = cron.nextRun(cursor);
    if (next === null || next.getTime() > to) break;
    newest = next.getTime();
    cursor = next;
  }
  return newest;
}
