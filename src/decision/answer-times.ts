import { parseDuration } from "../crds/duration.ts";
import type { RollbackRequestSpec, RollbackRequestStatus } from "../crds/rollback-request.ts";

/** Since when a request waits for its approval, and since when with the plan as it is; ms since the epoch. */
export interface Waiting {
  readonly since: number;
  readonly shownAt: number;
}

/** As its status tells; undefined before it has shown a plan. */
export function waitingSince(timeline: RollbackRequestStatus["timeline"]): Waiting | undefined {
  const { planned, replanned } = timeline ?? {};
  if (planned === undefined) return undefined;
  return { since: Date.parse(planned), shownAt: Date.parse(replanned ?? planned) };
}

/** When a waiting request expires, and when it runs by itself, ms since the epoch. */
export function answerTimes(
  { expiresAfter, runAfter }: Pick<RollbackRequestSpec, "expiresAfter" | "runAfter">,
  { since, shownAt }: Waiting,
): { readonly expiresAt: number; readonly runsAt: number } {
  return {
    expiresAt: since + parseDuration(expiresAfter),
    // Silence is consent to the plan that was shown: another one begins the time anew.
    runsAt: runAfter === undefined ? Infinity : shownAt + parseDuration(runAfter),
  };
}
