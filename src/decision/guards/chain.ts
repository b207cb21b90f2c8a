import {
  breachIsNotOld,
  knownGoodRevisionExists,
  releaseHasSettled,
  releaseIsNoRollback,
  releaseIsNotCleared,
  releaseIsTheCause,
} from "./cause.ts";
import { noFreezeWindowIsOpen, nobodyFrozeIt } from "./freeze.ts";
import { ALLOWED, type Guard, type GuardInput, type GuardResult } from "./guard.ts";
import { noHotfixIsAwaited } from "./hotfix.ts";
import {
  breachIsNotShared,
  clusterIsNotRollingBackTooMuch,
  cooldownIsOver,
  dailyBudgetIsLeft,
  lastAttemptIsLongAgo,
  releaseWasNotRolledBackYet,
} from "./limits.ts";
import { executorIsSet, killSwitchIsOff, modeIsEnforce, policyIsNotSuspended } from "./permission.ts";

/** A guard, and how it is called where guards are listed. */
export interface NamedGuard {
  readonly name: string;
  readonly check: Guard;
}

const named = (name: string, check: Guard): NamedGuard => ({ name, check });

/** What binds a question to a person: whatever would make it a pointless or a forbidden one. */
export const PROPOSAL_GUARDS: readonly NamedGuard[] = [
  named("kill switch", killSwitchIsOff),
  named("suspended", policyIsNotSuspended),
  named("mode", modeIsEnforce),
  named("executor", executorIsSet),
  named("freeze annotation", nobodyFrozeIt),
  named("settled", releaseHasSettled),
  named("breach age", breachIsNotOld),
  named("attribution", releaseIsNotCleared),
  named("known good", knownGoodRevisionExists),
  named("no rollback of a rollback", releaseIsNoRollback),
  named("once per release", releaseWasNotRolledBackYet),
  named("last attempt", lastAttemptIsLongAgo),
];

/** What binds an automatic rollback, in the order in which refusals are shown: the first one is the reason. */
export const GUARDS: readonly NamedGuard[] = [
  ...PROPOSAL_GUARDS,
  named("hotfix", noHotfixIsAwaited),
  named("freeze window", noFreezeWindowIsOpen),
  named("cool-down", cooldownIsOver),
  named("budget", dailyBudgetIsLeft),
  named("shared breach", breachIsNotShared),
  named("blast radius", clusterIsNotRollingBackTooMuch),
  // Last, since what it refuses is asked instead: only where nothing else holds it.
  named("certainty", releaseIsTheCause),
];

/** The first refusal, or Allowed. */
export function checkGuards(guards: readonly NamedGuard[], input: GuardInput): GuardResult {
  for (const { check } of guards) {
    const result = check(input);
    if (!result.allowed) return result;
  }
  return ALLOWED;
}
