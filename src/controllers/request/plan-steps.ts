import type { EarlierSteps, PlanContext, PlanResult } from "../../actions/action.ts";
import { digestOf } from "../../actions/digest.ts";
import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import type { Holder } from "../../gitops/held-by.ts";
import type { GitOpsRule } from "../../gitops/rule.ts";
import { cutText } from "../../kube/conditions.ts";
import { ledgerOf } from "./ledgers.ts";
import { gitOpsPlanning, type GitOpsPlanning } from "./plan-holds.ts";
import type { RequestPorts } from "./ports.ts";
import type { ResolvedStep } from "./resolve-steps.ts";
import type { Ledgers, RequestPlan } from "./situation.ts";

/** What the schema allows for the reason why a step has nothing to do. */
const LONGEST_IDLE = 1_024;

/** What plans are made through. */
export type PlanPorts = Pick<RequestPorts, "client" | "clock" | "gitOps">;

/** What a plan is made of, whether somebody has asked for it or not. */
export interface PlanSubject {
  /** Who is to act. */
  readonly account: { readonly namespace: string; readonly name: string };
  readonly steps: readonly ResolvedStep[];
  readonly ledgers: Ledgers;
  /** The plan as it was accepted: another state than it began with is not planned for. */
  readonly accepted: readonly PlannedStep[];
  readonly expectedPodTemplateHash: string | undefined;
  readonly allowedImages: readonly string[];
  readonly automatic: boolean;
  /** Who stops GitOps tools for it; undefined where what they own is refused. */
  readonly holder: Holder | undefined;
}

/** One after the other where they touch the same object, since a later step starts where an earlier one ends. */
export async function planSteps(
  ports: PlanPorts,
  subject: PlanSubject,
  signal: AbortSignal,
): Promise<PlanResult<RequestPlan>> {
  const first = await planOnce(ports, subject, new Set(), signal);
  if (first.result.kind !== "Planned") return first.result;
  const idle = idleSteps(first.result.plan.steps);
  // Who counted on the pods that a step replaces must know that it has nothing to do.
  const { result, gitOps } = subject.steps.some(
    ({ action }) => idle.has(action.name) && action.changesTemplate,
  )
    ? await planOnce(ports, subject, idle, signal)
    : first;
  return result.kind === "Planned" ? gitOps.complete(result.plan, signal) : result;
}

/** Names of the steps that have nothing to do. */
export function idleSteps(planned: readonly PlannedStep[]): ReadonlySet<string> {
  return new Set(planned.flatMap(({ name, nothingToDo }) => (nothingToDo === undefined ? [] : [name])));
}

async function planOnce(
  ports: PlanPorts,
  subject: PlanSubject,
  idleNames: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<{ readonly result: PlanResult<RequestPlan>; readonly gitOps: GitOpsPlanning }> {
  const gitOps = gitOpsPlanning(ports.gitOps, subject.holder);
  const context = { idleNames, gitOps: gitOps.rule };
  return { result: await planEach(ports, subject, context, signal), gitOps };
}

async function planEach(
  ports: PlanPorts,
  subject: PlanSubject,
  among: AmongSteps,
  signal: AbortSignal,
): Promise<PlanResult<RequestPlan>> {
  const { steps } = subject;
  const planned: PlannedStep[] = [];
  const idle: string[] = [];
  for (const [index, step] of steps.entries()) {
    const { action } = step;
    const ends = planned.filter(({ object }) => object === action.object).map(({ to }) => to);
    const earlier = together(ends, false);
    const seen = await action.plan(contextFor(ports, subject, index, earlier, among, signal));
    const result = steps.length === 1 ? seen : completeOrRefused(seen);
    if (result.kind === "Planned") planned.push(result.plan);
    else if (result.kind === "NothingToDo") {
      planned.push(idleStep(step, result));
      idle.push(result.message);
    } else return named(result, step, steps.length);
  }
  if (idle.length === planned.length) return { kind: "NothingToDo", message: idle.join("; ") };
  const [only] = planned;
  const digest =
    planned.length === 1 && only !== undefined ? only.digest : digestOf(planned.map((each) => each.digest));
  return { kind: "Planned", plan: { digest, steps: planned } };
}

/** What one step's plan has to know of the whole. */
export interface AmongSteps {
  readonly idleNames: ReadonlySet<string>;
  readonly gitOps: GitOpsRule;
}

export function contextFor(
  ports: PlanPorts,
  subject: PlanSubject,
  index: number,
  earlier: EarlierSteps | undefined,
  { idleNames, gitOps }: AmongSteps,
  signal: AbortSignal,
): PlanContext {
  const { account, steps, ledgers, accepted, expectedPodTemplateHash, allowedImages, automatic } = subject;
  const firstRollback = steps.findIndex(({ action }) => action.makesRelease);
  return {
    executor: ports.client.as(account),
    executorName: account.name,
    namespace: account.namespace,
    ledger: ledgerOf(ledgers, steps[index]?.targets[0]),
    from: accepted[index]?.from,
    earlier,
    gitOps,
    expectedPodTemplateHash: index === firstRollback ? expectedPodTemplateHash : undefined,
    allowedImages,
    podsReplacedBy: {
      before: replacing(steps.slice(0, index), idleNames),
      after: replacing(steps.slice(index + 1), idleNames),
    },
    automatic,
    now: ports.clock.now(),
    signal,
  };
}

/** The workloads whose pods these steps replace. */
function replacing(steps: readonly ResolvedStep[], idleNames: ReadonlySet<string>): readonly string[] {
  return steps.flatMap(({ action }) =>
    action.changesTemplate && !idleNames.has(action.name) ? [action.object] : [],
  );
}

export function together(ends: readonly (StepEnd | undefined)[], done: boolean): EarlierSteps | undefined {
  return ends.length === 0 ? undefined : { end: Object.assign({}, ...ends) as StepEnd, done };
}

/** Other steps rely on this one: what is half-way where it should be does not count as done. */
export function completeOrRefused<Plan>(result: PlanResult<Plan>): PlanResult<Plan> {
  if (result.kind !== "NothingToDo" || result.incomplete === undefined) return result;
  return {
    kind: "Refused",
    reason: "Incomplete",
    message: `${result.message}, but that is not complete: ${result.incomplete}; mend it first, the other steps rely on it`,
  };
}

function idleStep(
  { action }: ResolvedStep,
  { message, live }: Extract<PlanResult<never>, { kind: "NothingToDo" }>,
): PlannedStep {
  const { name, kind, object } = action;
  const nothingToDo = cutText(message, LONGEST_IDLE);
  const digest = digestOf({ action: kind, object, nothingToDo: true });
  const to = live === undefined ? {} : { to: live };
  return { name, digest, action: kind, object, nothingToDo, ...to, changes: [], warnings: [] };
}

/** Says which step it is, where there are several. */
function named<Result extends { readonly message: string }>(
  result: Result,
  step: ResolvedStep,
  steps: number,
): Result {
  return steps === 1 ? result : { ...result, message: `step ${step.action.name}: ${result.message}` };
}
