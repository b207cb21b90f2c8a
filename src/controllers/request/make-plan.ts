import type { EarlierSteps, PlanContext, PlanResult } from "../../actions/action.ts";
import { digestOf } from "../../actions/digest.ts";
import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import { cutText } from "../../kube/conditions.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { warningOfChecks, withWarning } from "./check-rights.ts";
import { checkExecutor } from "./executor.ts";
import { changedSteps, openStep } from "./journal.ts";
import { ledgerOf } from "./ledgers.ts";
import type { RequestPorts } from "./ports.ts";
import type { ResolvedStep } from "./resolve-steps.ts";
import { accountOf, resolvedStep, type ResolvedSituation } from "./running.ts";
import type { RequestPlan, Situation } from "./situation.ts";

/** What the schema allows for the reason why a step has nothing to do. */
const LONGEST_IDLE = 1_024;

/** Asks for the rights and plans all steps at once; a missing right is the refusal that is shown. */
export async function makePlan(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const rights = situation.resolution.steps.flatMap(({ action }) => action.rights);
  const [able, plan, warning] = await Promise.all([
    checkExecutor(ports.client, accountOf(situation), rights, signal),
    planAll(ports, situation, signal).catch(refusedIfForbidden<RequestPlan>),
    warningOfChecks(ports, situation, rights, signal),
  ]);
  if (able.kind === "Refused") return { ...situation, plan: able };
  if (plan.kind !== "Planned") return { ...situation, plan };
  return { ...situation, plan: { kind: "Planned", plan: withWarning(plan.plan, warning) } };
}

/** Plans the open step again. */
export async function replan(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index, planned } = openStep(request);
  const { action } = resolvedStep(situation, index);
  const ends = changedSteps(request)
    .filter((step) => step.planned.object === planned.object)
    .map(({ status }) => status.after);
  const earlier = together(ends, true);
  // The account may have been deleted since, or lost a right: impersonating one that is gone works.
  const [able, result] = await Promise.all([
    checkExecutor(ports.client, accountOf(situation), action.rights, signal),
    action.plan(contextFor(ports, situation, index, earlier, signal)).catch(refusedIfForbidden<PlannedStep>),
  ]);
  return { ...situation, replanned: able.kind === "Refused" ? able : completeOrRefused(result) };
}

/** One after the other where they touch the same object, since a later step starts where an earlier one ends. */
async function planAll(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<PlanResult<RequestPlan>> {
  const planned: PlannedStep[] = [];
  const idle: string[] = [];
  for (const [index, step] of situation.resolution.steps.entries()) {
    const { action } = step;
    const ends = planned.filter(({ object }) => object === action.object).map(({ to }) => to);
    const earlier = together(ends, false);
    const seen = await action.plan(contextFor(ports, situation, index, earlier, signal));
    const result = situation.resolution.steps.length === 1 ? seen : completeOrRefused(seen);
    if (result.kind === "Planned") planned.push(result.plan);
    else if (result.kind === "NothingToDo") {
      planned.push(idleStep(step, result));
      idle.push(result.message);
    } else return named(result, step, situation.resolution.steps.length);
  }
  if (idle.length === planned.length) return { kind: "NothingToDo", message: idle.join("; ") };
  const [only] = planned;
  const digest =
    planned.length === 1 && only !== undefined ? only.digest : digestOf(planned.map((each) => each.digest));
  return { kind: "Planned", plan: { digest, steps: planned } };
}

function contextFor(
  ports: RequestPorts,
  situation: ResolvedSituation,
  index: number,
  earlier: EarlierSteps | undefined,
  signal: AbortSignal,
): PlanContext {
  const { request, resolution, ledgers, automatic } = situation;
  const account = accountOf(situation);
  const { steps } = resolution;
  const firstRollback = steps.findIndex(({ action }) => action.makesRelease);
  return {
    executor: ports.client.as(account),
    executorName: account.name,
    namespace: account.namespace,
    ledger: ledgerOf(ledgers, steps[index]?.targets[0]),
    from: request.status?.plan?.steps[index]?.from,
    earlier,
    expectedPodTemplateHash: index === firstRollback ? request.spec.expect?.podTemplateHash : undefined,
    allowedImages: resolution.allowedImages,
    automatic: automatic !== undefined,
    now: ports.clock.now(),
    signal,
  };
}

function together(ends: readonly (StepEnd | undefined)[], done: boolean): EarlierSteps | undefined {
  return ends.length === 0 ? undefined : { end: Object.assign({}, ...ends) as StepEnd, done };
}

/** Other steps rely on this one: what is half-way where it should be does not count as done. */
function completeOrRefused<Plan>(result: PlanResult<Plan>): PlanResult<Plan> {
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

/** Without a right the plan cannot be made; which right it is, the review of rights says better. */
function refusedIfForbidden<Plan>(error: unknown): PlanResult<Plan> {
  if (!isForbidden(error)) throw error;
  return { kind: "Refused", reason: "AccessDenied", message: errorMessage(error) };
}
