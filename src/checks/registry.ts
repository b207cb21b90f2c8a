import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { VerificationCheck } from "../crds/verification.ts";
import { noVerdict, type CheckContext, type CheckSample } from "./check.ts";
import { podsCheck } from "./pods/index.ts";
import { signalCheck, type SampleSignal } from "./signal/index.ts";
import { versionCheck } from "./version/index.ts";

/** Every kind of check behind one door. */
export interface Checks {
  windowMs(check: VerificationCheck, signals: readonly PolicySignal[]): number;
  sample(check: VerificationCheck, context: CheckContext): Promise<CheckSample>;
}

export function createChecks(sampleSignal: SampleSignal): Checks {
  const signal = signalCheck(sampleSignal);
  return {
    windowMs(check, signals) {
      return check.signal === undefined ? 0 : signal.windowMs(check.signal, signals);
    },
    async sample(check, context) {
      if (check.pods !== undefined) return podsCheck.sample(check.pods, context);
      if (check.version !== undefined) return versionCheck.sample(check.version, context);
      if (check.signal !== undefined) return signal.sample(check.signal, context);
      return noVerdict("this version of the operator does not know this check");
    },
  };
}
