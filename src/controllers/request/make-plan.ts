import { warningOfChecks, withWarnings } from "./check-rights.ts";
import { plannedBy } from "./executor.ts";
import { peopleWarnings } from "./guards.ts";
import { changedSteps, openStep } from "./journal.ts";
import { completeOrRefused, contextFor, planSteps, together, type PlanSubject } from "./plan-steps.ts";
import type { RequestPorts } from "./ports.ts";
import { accountOf, resolvedStep, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";

/** Asks for the rights and plans all steps at once; a missing right is the refusal that is shown. */
export async function makePlan(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const rights = situation.resolution.steps.flatMap(({ action }) => action.rights);
  const planning = planSteps(ports, subjectOf(situation), signal);
  const [plan, warning] = await Promise.all([
    plannedBy(ports.client, accountOf(situation), rights, planning, signal),
    warningOfChecks(ports, situation, rights, signal),
  ]);
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
  const planning = action.plan(contextFor(ports, subjectOf(situation), index, earlier, signal));
  // The account may have been deleted since, or lost a right: impersonating one that is gone works.
  const result = await plannedBy(ports.client, accountOf(situation), action.rights, planning, signal);
  return { ...situation, replanned: completeOrRefused(result) };
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
