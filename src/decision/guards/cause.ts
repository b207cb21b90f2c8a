import { causeBegan } from "../release.ts";
import { clockTime, formatSpan } from "../sentence.ts";
import { ALLOWED, refused, type GuardInput, type GuardResult } from "./guard.ts";

/** The live release is the likely cause, and there is something proven to go back to. */

export function releaseHasSettled({
  release,
  policy,
  now,
}: Pick<GuardInput, "release" | "now"> & {
  readonly policy: Pick<GuardInput["policy"], "settleMs">;
}): GuardResult {
  if (release?.startedAt === undefined) {
    return ALLOWED;
  }
  const settledAt = release.startedAt + policy.settleMs;
  return now < settledAt
    ? refused(
        "Settling",
        `${causeBegan(release)} at ${clockTime(release.startedAt, now)} and settles for ${formatSpan(policy.settleMs)}: allowed from ${clockTime(settledAt, now)}`,
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

/** What the last release did not bring, no rollback takes away: not even proposed. */
export function releaseIsNotCleared({ attribution }: GuardInput): GuardResult {
  return attribution.verdict === "Unlikely"
    ? refused("Unattributed", `unlikely to be caused by the last release: ${attribution.reason}`)
    : ALLOWED;
}

/** Sure enough to act without asking. */
export function releaseIsTheCause({ attribution, policy }: GuardInput): GuardResult {
  switch (attribution.verdict) {
    case "Caused":
      return ALLOWED;
    case "Likely":
      return policy.require === "Likely"
        ? ALLOWED
        : refused(
            "Unattributed",
            `likely to be caused by the last release, but attribution.require is Caused: ${attribution.reason}`,
          );
    case "Unlikely":
      return refused("Unattributed", `unlikely to be caused by the last release: ${attribution.reason}`);
    case "Unknown":
      return refused(
        "Unattributed",
        `it is not known whether the last release is the cause: ${attribution.reason}`,
      );
  }
}

export function knownGoodRevisionExists({ rollbackTarget, plan }: GuardInput): GuardResult {
  return plan.goesBack && rollbackTarget === undefined
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
