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

/**
 * What a refusal means to a person who rolls back by a request of their own. Refused, RefusedUnlessSev1 (the request's
 * severity), RefusedUnlessNamed (the request names a revision); Warned: the plan says it; Free: it does not bind them.
 */
export type ForPeople = "Refused" | "RefusedUnlessSev1" | "RefusedUnlessNamed" | "Warned" | "Free";

/** A guard, and how it is called where guards are listed. */
export interface NamedGuard {
  readonly name: string;
  readonly check: Guard;
  readonly people: ForPeople;
}

const named = (name: string, check: Guard, people: ForPeople): NamedGuard => ({ name, check, people });

/** What binds a question to a person: whatever would make it a pointless or a forbidden one. */
export const PROPOSAL_GUARDS: readonly NamedGuard[] = [
  named("kill switch", killSwitchIsOff, "Refused"),
  named("suspended", policyIsNotSuspended, "Free"),
  named("mode", modeIsEnforce, "Free"),
  // A request of a person names its own, or takes the administrator's default.
  named("executor", executorIsSet, "Free"),
  named("freeze annotation", nobodyFrozeIt, "RefusedUnlessSev1"),
  named("settled", releaseHasSettled, "Warned"),
  named("breach age", breachIsNotOld, "Free"),
  named("attribution", releaseIsNotCleared, "Free"),
  named("known good", knownGoodRevisionExists, "Warned"),
  named("no rollback of a rollback", releaseIsNoRollback, "RefusedUnlessNamed"),
  named("once per release", releaseWasNotRolledBackYet, "Free"),
  named("last attempt", lastAttemptIsLongAgo, "Free"),
];

/** What binds an automatic rollback, in the order in which refusals are shown: the first one is the reason. */
export const GUARDS: readonly NamedGuard[] = [
  ...PROPOSAL_GUARDS,
  named("hotfix", noHotfixIsAwaited, "Free"),
  named("freeze window", noFreezeWindowIsOpen, "Warned"),
  named("cool-down", cooldownIsOver, "Warned"),
  named("budget", dailyBudgetIsLeft, "Warned"),
  named("shared breach", breachIsNotShared, "Free"),
  named("blast radius", clusterIsNotRollingBackTooMuch, "Warned"),
  // Last, since what it refuses is asked instead: only where nothing else holds it.
  named("certainty", releaseIsTheCause, "Free"),
];

/** The first refusal, or Allowed. */
export function checkGuards(guards: readonly NamedGuard[], input: GuardInput): GuardResult {
  for (const { check } of guards) {
    const result = check(input);
    if (!result.allowed) return result;
  }
  return ALLOWED;
}
