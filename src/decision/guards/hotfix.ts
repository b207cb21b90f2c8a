import type { Row } from "../row.ts";
import { clockTime, formatSpan } from "../sentence.ts";
import { ALLOWED, refused, type GuardInput, type GuardResult } from "./guard.ts";

/** An announced hotfix holds a rollback at most so long after its row fired. */
const LONGEST_HOTFIX_MS = 900_000;

/**
 * Rollback or hotfix: severity first. SEV1 and SEV2 never wait, unless the row itself says so by `hotfixDeadline`. Others
 * wait for a hotfix that somebody announced, until its time has passed or it is out.
 */
export function noHotfixIsAwaited(input: GuardInput): GuardResult {
  const { row, window } = input.evaluation;
  const firedAt = (window.run?.since ?? input.now) + row.forMs;
  return row.hotfixDeadlineMs === undefined
    ? announcedHotfixIsOver(row, firedAt, input)
    : deadlineHasPassed(row.hotfixDeadlineMs, firedAt, input);
}

function deadlineHasPassed(deadlineMs: number, firedAt: number, { now }: GuardInput): GuardResult {
  const until = firedAt + deadlineMs;
  return now < until
    ? refused(
        "HotfixAwaited",
        `waits for a hotfix until ${clockTime(until, now)}, ${formatSpan(deadlineMs)} after the row fired; rolls back then, unless it recovers`,
        until,
      )
    : ALLOWED;
}

function announcedHotfixIsOver(
  { severity }: Row,
  firedAt: number,
  { hotfixEta, release, onset, now }: GuardInput,
): GuardResult {
  if (hotfixEta === undefined || severity === "SEV1" || severity === "SEV2") return ALLOWED;
  const isOut = release?.startedAt !== undefined && release.startedAt > onset;
  const until = Math.min(hotfixEta, firedAt + LONGEST_HOTFIX_MS);
  return isOut || now >= until
    ? ALLOWED
    : refused(
        "HotfixAwaited",
        `a hotfix is announced for ${clockTime(hotfixEta, now)}: rolls back at ${clockTime(until, now)}, unless it recovers`,
        until,
      );
}
