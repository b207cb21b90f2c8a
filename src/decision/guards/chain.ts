import {
  breachIsNotOld,
  knownGoodRevisionExists,
  releaseHasSettled,
  releaseIsNoRollback,
  releaseIsTheLikelyCause,
} from "./cause.ts";
import { ALLOWED, type Guard, type GuardInput, type GuardResult } from "./guard.ts";
import {
  clusterIsNotRollingBackTooMuch,
  cooldownIsOver,
  dailyBudgetIsLeft,
  lastAttemptIsLongAgo,
  releaseWasNotRolledBackYet,
} from "./limits.ts";
import { executorIsSet, killSwitchIsOff, modeIsEnforce, policyIsNotSuspended } from "./permission.ts";

/** In the order in which refusals are shown: the first one is the reason. */
export const GUARDS: readonly Guard[] = [
  killSwitchIsOff,
  policyIsNotSuspended,
  modeIsEnforce,
  executorIsSet,
  releaseHasSettled,
  breachIsNotOld,
  releaseIsTheLikelyCause,
  knownGoodRevisionExists,
  releaseIsNoRollback,
  releaseWasNotRolledBackYet,
  lastAttemptIsLongAgo,
  cooldownIsOver,
  dailyBudgetIsLeft,
  clusterIsNotRollingBackTooMuch,
];

/** The first refusal, or Allowed. */
export function checkGuards(input: GuardInput): GuardResult {
  for (const guard of GUARDS) {
    const result = guard(input);
    if (!result.allowed) {
      return result;
    }
  }
  return ALLOWED;
}
