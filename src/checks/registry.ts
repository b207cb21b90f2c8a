import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { VerificationCheck } from "../crds/verification.ts";
import { cutText } from "../kube/conditions.ts";
import { errorMessage, isForbidden } from "../kube/errors.ts";
import type { Right } from "../kube/right.ts";
import { noVerdict, type Check, type CheckContext, type CheckedWorkload, type CheckSample } from "./check.ts";
import { httpCheck } from "./http/index.ts";
import { podsCheck } from "./pods/index.ts";
import { signalCheck, type SignalSource } from "./signal/index.ts";
import { smokeCheck } from "./smoke/index.ts";
import { versionCheck } from "./version/index.ts";

/** Every kind of check behind one door. What a sample means over time is told by soak.ts. */
export interface Checks {
  requiredRights(check: VerificationCheck, workloads: readonly CheckedWorkload[]): readonly Right[];
  windowMs(check: VerificationCheck, signals: readonly PolicySignal[]): number;
  /** Takes one sample. Throws KubeError when the API server fails; a right that is missing is no verdict. */
  sample(check: VerificationCheck, context: CheckContext): Promise<CheckSample>;
}

type Kind = Exclude<keyof VerificationCheck, "name">;
type Kinds = { readonly [K in Kind]: Check<NonNullable<VerificationCheck[K]>> };

export function createChecks(source: SignalSource): Checks {
  const kinds: Kinds = {
    pods: podsCheck,
    http: httpCheck,
    smoke: smokeCheck,
    signal: signalCheck(source),
    version: versionCheck,
  };
  return {
    requiredRights: (check, workloads) =>
      withKind(kinds, check, (kind, spec) => kind.requiredRights(spec, workloads)) ?? [],
    windowMs: (check, signals) => withKind(kinds, check, (kind, spec) => kind.windowMs(spec, signals)) ?? 0,
    async sample(check, context) {
      try {
        const sample = await withKind(kinds, check, (kind, spec) => kind.sample(spec, context));
        return sample ?? noVerdict("this version of the operator does not know this check");
      } catch (error) {
        // An executor that lost its rights proves neither health nor its lack.
        if (!isForbidden(error)) throw error;
        return noVerdict(cutText(errorMessage(error), 512));
      }
    },
  };
}

/** Calls `use` with the kind of the check and its spec; undefined for a check of an unknown kind. */
function withKind<R>(
  kinds: Kinds,
  check: VerificationCheck,
  use: <Spec>(kind: Check<Spec>, spec: Spec) => R,
): R | undefined {
  if (check.pods !== undefined) return use(kinds.pods, check.pods);
  if (check.http !== undefined) return use(kinds.http, check.http);
  if (check.smoke !== undefined) return use(kinds.smoke, check.smoke);
  if (check.signal !== undefined) return use(kinds.signal, check.signal);
  if (check.version !== undefined) return use(kinds.version, check.version);
  return undefined;
}
