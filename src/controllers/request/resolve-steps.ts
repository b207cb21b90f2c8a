import type { TargetKey } from "../../actions/action.ts";
import type { BoundStep } from "../../actions/bound-step.ts";
import type { Actions, StepSpecs } from "../../actions/registry.ts";
import type { SpecTarget } from "../../crds/common.ts";
import { DEFAULT_PLAN } from "../../crds/default-plan.ts";
import type { PolicyPlan } from "../../crds/rollback-policy.ts";
import { parseDuration } from "../../crds/duration.ts";
import type { RequestStep } from "../../crds/steps.ts";
import type { CheckStep } from "../../crds/verification.ts";
import { withStepValues, type WrittenStep } from "./step-values.ts";
import type { RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";

export interface ResolvedStep {
  readonly action: BoundStep;
  /** What it writes; the first is its object, whose ledger it goes by. */
  readonly targets: readonly TargetKey[];
  readonly timeoutMs: number;
}

/** The workload that a policy watches. */
export type PolicyTarget = Pick<SpecTarget, "kind" | "name">;

export interface Unresolvable {
  readonly kind: "Refused";
  readonly reason: string;
  readonly message: string;
}

/** What is read of a request to know what it means; also of one that nobody has made yet. */
export interface RequestWish extends Pick<RollbackRequest, "spec" | "status"> {
  readonly metadata: { readonly namespace?: string | undefined };
}

/** What a policy without plans does. */
const DEFAULT_STEPS: readonly RequestStep[] = [
  { name: "application", timeout: "5m", workload: { to: { strategy: "LastKnownGood" } } },
];

/** The ways back that a policy has; the first is the default. */
export function plansOf(policy: Pick<RollbackPolicy, "spec"> | undefined): readonly PolicyPlan[] {
  return policy?.spec.plans ?? [{ name: DEFAULT_PLAN, steps: [...DEFAULT_STEPS] }];
}

/**
 * The steps as they are written: the request's own, or those of the policy's plan that it names, as they were at
 * acceptance. Pure.
 */
export function writtenSteps(
  { spec, status }: RequestWish,
  policy: RollbackPolicy | undefined,
): readonly WrittenStep[] | Unresolvable {
  if (spec.steps !== undefined) return spec.steps;
  const plans = plansOf(policy);
  const plan = spec.plan === undefined ? plans[0] : plans.find(({ name }) => name === spec.plan);
  if (status?.resolved !== undefined) {
    return withStepValues(status.resolved.steps ?? DEFAULT_STEPS, plan?.steps ?? []);
  }
  if (plan !== undefined) return plan.steps;
  const names = plans.map(({ name }) => name).join(", ");
  return refused(
    "PlanNotFound",
    `RollbackPolicy ${spec.policyRef?.name} has no plan ${spec.plan}, only ${names}: name one of these`,
  );
}

/** The steps in their order, each with the object that it left to the policy. Pure. */
export function resolveSteps(
  request: RequestWish,
  written: readonly WrittenStep[],
  actions: Actions,
  policyTarget: PolicyTarget | undefined,
): readonly ResolvedStep[] | Unresolvable {
  const { namespace = "" } = request.metadata;
  const steps: ResolvedStep[] = [];
  for (const step of written) {
    const specs = withTarget(step, policyTarget);
    if (specs === undefined) {
      return refused("TargetNotFound", `neither step ${step.name} nor a policy names a workload`);
    }
    const action = actions.bind(step.name, specs);
    const timeoutMs = parseDuration(step.timeout);
    const problem =
      step.check === undefined ? undefined : checkProblem(step, step.check, request.spec.deadline, steps);
    if (problem !== undefined) return problem;
    steps.push({ action, targets: action.lockKeys(namespace), timeoutMs });
  }
  return orderProblem(steps) ?? sharedTarget(steps) ?? steps;
}

function withTarget(
  { workload, scale, restart, blueGreen, canary, configMap, featureFlag, check }: WrittenStep,
  policyTarget: PolicyTarget | undefined,
): StepSpecs | undefined {
  if (workload === undefined) return { scale, restart, blueGreen, canary, configMap, featureFlag, check };
  const { kind, name, to } = workload;
  const target = kind !== undefined && name !== undefined ? { kind, name } : policyTarget;
  return target && { workload: { kind: target.kind, name: target.name, to } };
}

/** What is wrong with a check that could never pass, said before anything is done. */
function checkProblem(
  { name, timeout }: WrittenStep,
  { settle, soak, checks }: CheckStep,
  deadline: string,
  before: readonly ResolvedStep[],
): Unresolvable | undefined {
  for (const [what, limit] of [
    ["its timeout", timeout],
    ["the deadline of the request", deadline],
  ] as const) {
    if (parseDuration(settle) + parseDuration(soak) < parseDuration(limit)) continue;
    return refused(
      "InvalidSteps",
      `step ${name}: settle ${settle} and soak ${soak} take longer than ${what} of ${limit}: set a longer one, or a shorter soak`,
    );
  }
  const blind = checks.find(({ pods, version }) => pods !== undefined || version !== undefined);
  if (blind === undefined || before.some(({ action }) => action.changesTemplate)) return undefined;
  return refused(
    "InvalidSteps",
    `step ${name}: check ${blind.name} looks at what a workload or restart step before it left, and there is none`,
  );
}

/** A rollback of a workload takes the version that is live when the request is accepted: it comes first, and once. */
function orderProblem(steps: readonly ResolvedStep[]): Unresolvable | undefined {
  const twice = contentProblem(steps);
  if (twice !== undefined) return twice;
  for (const [index, { action }] of steps.entries()) {
    if (!action.makesRelease) continue;
    const before = steps
      .slice(0, index)
      .find((step) => step.action.object === action.object && step.action.changesTemplate)?.action;
    if (before === undefined) continue;
    return refused(
      "InvalidSteps",
      before.makesRelease
        ? `steps ${before.name} and ${action.name} both roll ${action.object} back: name one revision in one step`
        : `step ${before.name} restarts what step ${action.name} then takes away: put step ${action.name} before step ${before.name}`,
    );
  }
  return undefined;
}

/** What a step makes of a whole ConfigMap is not there yet when another step on it is planned. */
function contentProblem(steps: readonly ResolvedStep[]): Unresolvable | undefined {
  for (const { action } of steps.filter((step) => step.action.kind === "configMap")) {
    const other = steps.find(
      (step) => step.action.object === action.object && step.action !== action,
    )?.action;
    if (other === undefined) continue;
    return refused(
      "InvalidSteps",
      `steps ${action.name} and ${other.name} both write ${action.object}: put what they set into one step`,
    );
  }
  return undefined;
}

/** What a step writes besides its object is its own: another step that sets its number of pods would undo it. */
function sharedTarget(steps: readonly ResolvedStep[]): Unresolvable | undefined {
  for (const step of steps) {
    for (const target of step.targets.slice(1)) {
      const title = `${target.kind}/${target.name}`;
      const other = steps.find(
        ({ action, targets }) =>
          action !== step.action &&
          targets.some(({ kind, name }) => `${kind}/${name}` === title) &&
          !(action.object === title && action.changesTemplate),
      );
      if (other === undefined) continue;
      return refused(
        "InvalidSteps",
        `steps ${step.action.name} and ${other.action.name} both write ${title}: leave it to one of them`,
      );
    }
  }
  return undefined;
}

function refused(reason: string, message: string): Unresolvable {
  return { kind: "Refused", reason, message };
}
