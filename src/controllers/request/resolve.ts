import type { TargetKey } from "../../actions/action.ts";
import { digestOf } from "../../actions/digest.ts";
import type { Actions } from "../../actions/registry.ts";
import type { PolicySignal } from "../../crds/rollback-policy.ts";
import { effectiveMatrix } from "../../decision/default-matrix.ts";
import type { RowSpec } from "../../decision/matrix.ts";
import type { Verification, VerificationCheck } from "../../crds/verification.ts";
import { DEFAULT_EXPIRES_AFTER, type RollbackRequestSpec } from "../../crds/rollback-request.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { oldestFirst } from "./oldest-first.ts";
import type { WrittenStep } from "./step-values.ts";
import {
  resolveSteps,
  writtenSteps,
  type PolicyTarget,
  type RequestWish,
  type ResolvedStep,
} from "./resolve-steps.ts";

export interface Resolved {
  readonly kind: "Resolved";
  readonly serviceAccountName: string;
  readonly steps: readonly ResolvedStep[];
  /** The same as they are written, in the request or in a plan of its policy. */
  readonly written: readonly WrittenStep[];
  /** What the first step writes; its ledger records the request as a whole. */
  readonly target: TargetKey;
  /** Where a step left its workload to the policy. */
  readonly policyTarget: PolicyTarget | undefined;
  readonly verification: Verification & { readonly checks: readonly VerificationCheck[] };
  readonly signals: readonly PolicySignal[];
  /** Images of the policy that may be pinned beyond the target's history. */
  readonly allowedImages: readonly string[];
  /** The policy whose guards let it stop GitOps tools; undefined where what they own is refused. */
  readonly holdPolicy: string | undefined;
  readonly policyUid: string | undefined;
  readonly specDigest: string;
}

export type Resolution =
  | Resolved
  | {
      readonly kind: "Refused";
      readonly reason: string;
      readonly message: string;
      readonly target?: TargetKey;
    };

export interface ResolveInput {
  readonly request: RequestWish;
  /** The policy that the request names; undefined when it names none or when there is none of that name. */
  readonly policy: RollbackPolicy | undefined;
  readonly defaultExecutor: string | undefined;
  readonly actions: Actions;
  /** Policies that watch an object, for a request that names none. */
  readonly policiesOn?: (target: TargetKey) => readonly RollbackPolicy[];
}

const DEFAULT_VERIFICATION: Verification = { settle: "10s", soak: "60s", interval: "10s" };

/**
 * What a request means, once the policy's part is filled in. What was copied into its status at acceptance is used
 * instead of the policy, so that a later edit changes nothing. Pure.
 */
export function resolve(input: ResolveInput): Resolution {
  const { request, policy } = input;
  const copied = request.status?.resolved;
  if (request.spec.policyRef !== undefined && policy === undefined && copied === undefined) {
    return refused(
      "PolicyNotFound",
      `RollbackPolicy ${request.spec.policyRef.name} does not exist in this namespace`,
    );
  }
  const policyTarget = copied === undefined ? policy?.spec.target : copied.target;
  const written = writtenSteps(request, policy);
  if ("kind" in written) return written;
  const steps = resolveSteps(request, written, input.actions, policyTarget);
  if ("kind" in steps) return steps;
  const target = steps.flatMap(({ targets }) => targets)[0];
  if (target === undefined) return refused("TargetNotFound", "no step changes anything");
  const serviceAccountName = executorName(input);
  if (serviceAccountName === undefined) {
    const message = "no ServiceAccount to act as: set serviceAccountName in the request or in its policy";
    return { ...refused("ExecutorNotSet", message), target };
  }
  const verification = resolveVerification(input, steps, written);
  const unmeasurable =
    copied === undefined
      ? unmeasurableCheck([...verification.verification.checks, ...stepChecks(written)], policy)
      : undefined;
  if (unmeasurable !== undefined) return { ...refused("CannotEvaluate", unmeasurable), target };
  return {
    kind: "Resolved",
    serviceAccountName,
    steps,
    written,
    target,
    policyTarget,
    ...verification,
    allowedImages: (copied === undefined ? policy?.spec.allowedImages : copied.allowedImages) ?? [],
    holdPolicy: copied === undefined ? holdPolicyOf(input, steps) : copied.holdPolicy,
    policyUid: copied?.policyUid ?? policy?.metadata.uid,
    specDigest: specDigestOf(request.spec),
  };
}

/**
 * What a request made again is known by. Fields that this kind did not have from its beginning are left out at their
 * defaults: what ran before they came must not run again because of them.
 */
function specDigestOf({ approval, expiresAfter, onFailure, ...spec }: RollbackRequestSpec): string {
  return digestOf({
    ...spec,
    ...(approval === "Auto" ? {} : { approval }),
    ...(expiresAfter === DEFAULT_EXPIRES_AFTER ? {} : { expiresAfter }),
    ...(onFailure === "Stop" ? {} : { onFailure }),
  });
}

function executorName({ request, policy, defaultExecutor }: ResolveInput): string | undefined {
  return (
    request.status?.resolved?.serviceAccountName ??
    request.spec.serviceAccountName ??
    policy?.spec.serviceAccountName ??
    defaultExecutor
  );
}

/**
 * The policy that the request names, else the oldest that watches what it changes. Of all that watch any of it none may
 * refuse: what a policy is about is its own to give.
 */
function holdPolicyOf(
  { policy, policiesOn }: ResolveInput,
  steps: readonly ResolvedStep[],
): string | undefined {
  const targets = steps.flatMap((step) => step.targets);
  const watching = oldestFirst(targets.flatMap((target) => policiesOn?.(target) ?? []));
  const { metadata, spec } = policy ?? watching[0] ?? {};
  const refuses = watching.some((each) => each.spec.guards.gitOps !== "Hold");
  return spec?.guards.gitOps === "Hold" && !refuses ? metadata?.name : undefined;
}

function resolveVerification(
  { request, policy }: ResolveInput,
  steps: readonly ResolvedStep[],
  written: readonly WrittenStep[],
): Pick<Resolved, "verification" | "signals"> {
  const copied = request.status?.resolved;
  // Copied checks have their bounds already; a row that came later must not give them another.
  const matrix = copied === undefined && policy !== undefined ? effectiveMatrix(policy.spec) : [];
  const verification =
    copied?.verification ?? request.spec.verification ?? policy?.spec.verification ?? DEFAULT_VERIFICATION;
  const checks = (verification.checks ?? defaultChecks(matrix, policy?.spec.signals ?? [], steps)).map(
    (check) => bounded(check, matrix),
  );
  const signals = (copied === undefined ? policy?.spec.signals : copied.signals) ?? [];
  return {
    verification: { ...verification, checks },
    signals: signals.filter(({ name }) =>
      [...checks, ...stepChecks(written)].some(({ signal }) => signal?.name === name),
    ),
  };
}

/** The checks of steps between others. */
export function stepChecks(written: readonly WrittenStep[]): readonly VerificationCheck[] {
  return written.flatMap(({ check }) => check?.checks ?? []);
}

/**
 * What is wrong with a signal check that could never give a verdict, said before anything is done. Not for checks that
 * were copied at acceptance: then it is too late, and they are Inconclusive.
 */
function unmeasurableCheck(
  checks: readonly VerificationCheck[],
  policy: RollbackPolicy | undefined,
): string | undefined {
  for (const { name, signal } of checks) {
    if (signal === undefined) continue;
    const title = `check ${name}`;
    if (policy === undefined)
      return `${title} needs policyRef: signal ${signal.name} is measured for a policy only`;
    const known = policy.spec.signals.map((each) => each.name);
    if (!known.includes(signal.name)) {
      return `${title}: RollbackPolicy ${policy.metadata.name} has no signal ${signal.name}, only ${known.join(", ")}`;
    }
    if (signal.above === undefined && signal.below === undefined) {
      return `${title}: set above or below for signal ${signal.name}: no row of RollbackPolicy ${policy.metadata.name} gives this check a bound`;
    }
  }
  return undefined;
}

/**
 * Pods and version, where a step makes a version that can be looked for, and each signal that a row names and that can be
 * measured after a rollback: vulnerability reports compare with what has just become live.
 */
function defaultChecks(
  matrix: readonly RowSpec[],
  known: readonly PolicySignal[],
  steps: readonly ResolvedStep[],
): readonly VerificationCheck[] {
  const compared = new Set(
    known.flatMap((each) => (each.vulnerabilityReports === undefined ? [] : each.name)),
  );
  const signals = [...new Set(matrix.map(({ when }) => when.signal))].filter((name) => !compared.has(name));
  const workload: readonly VerificationCheck[] = [
    { name: "pods", pods: { ready: "All" } },
    { name: "version", version: {} },
  ];
  return [
    ...(steps.some(({ action }) => action.changesTemplate) ? workload : []),
    ...signals.map((name) => ({ name: freeName(name), signal: { name } })),
  ];
}

/** A signal may be called like a built-in check. */
function freeName(signal: string): string {
  return signal === "pods" || signal === "version" ? `signal-${signal}`.slice(0, 63) : signal;
}

/** A signal check without a bound takes the strictest row of that signal. */
function bounded(check: VerificationCheck, matrix: readonly RowSpec[]): VerificationCheck {
  const { signal } = check;
  if (signal === undefined || signal.above !== undefined || signal.below !== undefined) return check;
  const rows = matrix.filter(({ when }) => when.signal === signal.name);
  const below = strictest(rows, "above", Math.min);
  if (below !== undefined) return { ...check, signal: { ...signal, below } };
  const above = strictest(rows, "below", Math.max);
  return above === undefined ? check : { ...check, signal: { ...signal, above } };
}

function strictest(
  rows: readonly RowSpec[],
  side: "above" | "below",
  pick: (...values: number[]) => number,
): string | undefined {
  const bounds = rows.flatMap(({ when }) => when[side] ?? []);
  const best = pick(...bounds.map(Number));
  return bounds.find((bound) => Number(bound) === best);
}

function refused(reason: string, message: string) {
  return { kind: "Refused", reason, message } as const;
}
