import type { PlanResult } from "../../actions/action.ts";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { warningOfChecks, withWarnings } from "./check-rights.ts";
import { checkExecutor } from "./executor.ts";
import { peopleWarnings } from "./guards.ts";
import { changedSteps, openStep } from "./journal.ts";
import {
  completeOrRefused,
  contextFor,
  idleSteps,
  planSteps,
  together,
  type PlanSubject,
} from "./plan-steps.ts";
import type { RequestPorts } from "./ports.ts";
import { accountOf, resolvedStep, type ResolvedSituation } from "./running.ts";
import type { RequestPlan, Situation } from "./situation.ts";

/** Asks for the rights and plans all steps at once; a missing right is the refusal that is shown. */
export async function makePlan(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const rights = situation.resolution.steps.flatMap(({ action }) => action.rights);
  const [able, plan, warning] = await Promise.all([
    checkExecutor(ports.client, accountOf(situation), rights, signal),
    planSteps(ports, subjectOf(situation), signal).catch(refusedIfForbidden<RequestPlan>),
    warningOfChecks(ports, situation, rights, signal),
  ]);
  if (able.kind === "Refused") return { ...situation, plan: able };
  if (plan.kind !== "Planned") return { ...situation, plan };
  const warnings = [
    ...(warning === undefined ? [] : [warning]),
    ...peopleWarnings(ports, situation, plan.plan),
  ];
  return { ...situation, plan: { kind: "Planned", plan: withWarnings(plan.plan, warnings) } };
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
    action
      .plan(
        contextFor(
          ports,
          subjectOf(situation),
          index,
          earlier,
          idleSteps(request.status?.plan?.steps ?? []),
          signal,
        ),
      )
      .catch(refusedIfForbidden<PlannedStep>),
  ]);
  return { ...situation, replanned: able.kind === "Refused" ? able : completeOrRefused(result) };
}

function subjectOf(situation: ResolvedSituation): PlanSubject {
  const { request, resolution, ledgers, automatic } = situation;
  return {
    account: accountOf(situation),
    steps: resolution.steps,
    ledgers,
    accepted: request.status?.plan?.steps ?? [],
    expectedPodTemplateHash: request.spec.expect?.podTemplateHash,
    allowedImages: resolution.allowedImages,
    automatic: automatic !== undefined,
  };
}

/** Without a right the plan cannot be made; which right it is, the review of rights says better. */
export function refusedIfForbidden<Plan>(error: unknown): PlanResult<Plan> {
  if (!isForbidden(error)) throw error;
  return { kind: "Refused", reason: "AccessDenied", message: errorMessage(error) };
}
