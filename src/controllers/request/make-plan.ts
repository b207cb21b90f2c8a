import { warningOfChecks, withWarnings } from "./check-rights.ts";
import { checkExecutor, plannedBy } from "./executor.ts";
import { peopleWarnings } from "./guards.ts";
import { holderOf } from "./holds.ts";
import { changedSteps, isUndo, openStep } from "./journal.ts";
import {
  completeOrRefused,
  contextFor,
  idleSteps,
  planSteps,
  together,
  type PlanSubject,
} from "./plan-steps.ts";
import { orderAdvice } from "./order-advice.ts";
import { gitOpsPlanning } from "./plan-holds.ts";
import type { RequestPorts } from "./ports.ts";
import { accountOf, resolvedStep, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { undoPlan } from "./undo-plan.ts";

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
    ...orderAdvice(plan.plan.steps),
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
  const { index, planned, status } = openStep(request);
  const { action } = resolvedStep(situation, index);
  if (isUndo(status)) return replanUndo(ports, situation, signal);
  const ends = changedSteps(request)
    .filter((step) => step.planned.object === planned.object)
    .map(({ status }) => status.after);
  const earlier = together(ends, true);
  const idle = idleSteps(request.status?.plan?.steps ?? []);
  const subject = subjectOf(situation);
  const gitOps = gitOpsPlanning(ports.gitOps, subject.holder);
  const among = { idleNames: idle, gitOps: gitOps.rule };
  const planning = action.plan(contextFor(ports, subject, index, earlier, among, signal));
  // The account may have been deleted since, or lost a right: impersonating one that is gone works.
  const result = await plannedBy(ports.client, accountOf(situation), action.rights, planning, signal);
  const unheld = result.kind === "Planned" ? await gitOps.unheld(request, signal) : undefined;
  return { ...situation, replanned: unheld ?? completeOrRefused(result) };
}

/** The way back needs no look at the world: its act has one. But the account must be there still, with all its rights. */
async function replanUndo(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution } = situation;
  const { index, planned, status } = openStep(request);
  const plan = undoPlan(request, resolution.steps, status.undoes ?? "", planned.name);
  if (plan === undefined) throw new TypeError(`step ${planned.name} undoes nothing`);
  const { rights } = resolvedStep(situation, index).action;
  const able = await checkExecutor(ports.client, accountOf(situation), rights, signal);
  return { ...situation, replanned: able.kind === "Refused" ? able : { kind: "Planned", plan } };
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
    holder: holderOf(resolution, request.metadata),
  };
}
