import { ALLOWED, refused, type GuardInput, type GuardResult } from "./guard.ts";

/** People and the policy itself allow automatic acts. */

export function killSwitchIsOff({ killSwitch }: GuardInput): GuardResult {
  switch (killSwitch) {
    case "Off":
      return ALLOWED;
    case "On":
      return refused("KillSwitch", "the kill switch is on: no automatic rollback until it is turned off");
    case "Unreadable":
      return refused(
        "KillSwitch",
        "the kill switch cannot be read: no automatic rollback until its ConfigMap can be read again",
      );
  }
}

export function policyIsNotSuspended({ policy }: GuardInput): GuardResult {
  return policy.suspended ? refused("Suspended", "the policy is suspended (spec.suspend)") : ALLOWED;
}

export function modeIsEnforce({ policy }: GuardInput): GuardResult {
  return policy.mode === "Observe"
    ? refused("ModeObserve", "the policy only observes (spec.mode: Observe)")
    : ALLOWED;
}

export function executorIsSet({ policy }: GuardInput): GuardResult {
  return policy.executor === undefined || policy.executor === ""
    ? refused(
        "ExecutorNotSet",
        "the policy may not act: set spec.serviceAccountName to a ServiceAccount of its namespace",
      )
    : ALLOWED;
}
