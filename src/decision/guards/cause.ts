import { clockTime, formatSpan } from "../sentence.ts";
import { ALLOWED, refused, type GuardInput, type GuardResult } from "./guard.ts";

/** The live release is the likely cause, and there is something proven to go back to. */

export function releaseHasSettled({ release, policy, now }: GuardInput): GuardResult {
  if (release?.startedAt === undefined) {
    return ALLOWED;
  }
  const settledAt = release.startedAt + policy.settleMs;
  return now < settledAt
    ? refused(
        "Settling",
        `revision ${release.revision} started at ${clockTime(release.startedAt, now)} and settles for ${formatSpan(policy.settleMs)}: allowed from ${clockTime(settledAt, now)}`,
        settledAt,
      )
    : ALLOWED;
}

/** Binds only what was found at start-up: a breach that was seen to begin is decided on when its time comes. */
export function breachIsNotOld({
  policy,
  evaluation,
  onset,
  ledger,
  watchingSince,
  now,
}: GuardInput): GuardResult {
  const age = watchingSince - onset;
  if (age <= policy.maxBreachAgeMs || ledger.pendingRows.has(evaluation.row.name)) {
    return ALLOWED;
  }
  return refused(
    "BreachTooOld",
    `the breach began at ${clockTime(onset, now)}, ${formatSpan(age)} before this controller began to watch it, longer than maxBreachAge of ${formatSpan(policy.maxBreachAgeMs)}: a person has to decide`,
  );
}

export function releaseIsTheLikelyCause({ attribution }: GuardInput): GuardResult {
  switch (attribution.verdict) {
    case "Caused":
    case "Likely":
      return ALLOWED;
    case "Unlikely":
    case "Unknown":
      return refused(
        "Unattributed",
        `${attribution.verdict.toLowerCase()} to be caused by the last release: ${attribution.reason}`,
      );
  }
}

export function knownGoodRevisionExists({ rollbackTarget }: GuardInput): GuardResult {
  return rollbackTarget === undefined
    ? refused("NoKnownGoodRevision", "no other revision that still exists has earned known good by baking")
    : ALLOWED;
}

export function releaseIsNoRollback({ release }: GuardInput): GuardResult {
  return release?.productOfRollback === undefined
    ? ALLOWED
    : refused(
        "NothingToDo",
        `already rolled back by ${release.productOfRollback.request}; name a revision to go further`,
      );
}
