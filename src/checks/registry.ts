import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { VerificationCheck } from "../crds/verification.ts";
import { cutText } from "../kube/conditions.ts";
import { errorMessage, isForbidden } from "../kube/errors.ts";
import { noVerdict, type CheckContext, type CheckSample } from "./check.ts";
import { podsCheck } from "./pods/index.ts";
import { signalCheck, type SignalSource } from "./signal/index.ts";
import { versionCheck } from "./version/index.ts";

/** Every kind of check behind one door. */
export interface Checks {
  windowMs(check: VerificationCheck, signals: readonly PolicySignal[]): number;
  sample(check: VerificationCheck, context: CheckContext): Promise<CheckSample>;
}

export function createChecks(source: SignalSource): Checks {
  const signal = signalCheck(source);
  return {
    windowMs(check, signals) {
      return check.signal === undefined ? 0 : signal.windowMs(check.signal, signals);
    },
    async sample(check, context) {
      try {
        return await sampleKind(check, context, signal);
      } catch (error) {
        // An executor that lost its rights proves neither health nor its lack.
        if (!isForbidden(error)) throw error;
        return noVerdict(cutText(errorMessage(error), 512));
      }
    },
  };
}

async function sampleKind(
  check: VerificationCheck,
  context: CheckContext,
  signal: ReturnType<typeof signalCheck>,
): Promise<CheckSample> {
  if (check.pods !== undefined) return podsCheck.sample(check.pods, context);
  if (check.version !== undefined) return versionCheck.sample(check.version, context);
  if (check.signal !== undefined) return signal.sample(check.signal, context);
  return noVerdict("this version of the operator does not know this check");
}
