import { lookAtHold } from "../../gitops/end-hold.ts";
import { findHolds } from "../../gitops/find-holds.ts";
import { ownerText } from "../../gitops/owner.ts";
import { NotedOwners, REFUSE_OWNED } from "../../gitops/rule.ts";
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
  const owners = new NotedOwners();
  const subject = subjectOf(situation);
  const gitOps = subject.holder === undefined ? REFUSE_OWNED : owners;
  const among = { idleNames: idle, gitOps };
  const planning = action.plan(contextFor(ports, subject, index, earlier, among, signal));
  // The account may have been deleted since, or lost a right: impersonating one that is gone works.
  const result = await plannedBy(ports.client, accountOf(situation), action.rights, planning, signal);
  const unheld = result.kind === "Planned" ? await unheldOwner(ports, situation, owners, signal) : undefined;
  return { ...situation, replanned: unheld ?? completeOrRefused(result) };
}

/** A hold that was lost, or an owner that came to be since the request began: either would undo the change. */
async function unheldOwner(
  ports: RequestPorts,
  { request, resolution }: ResolvedSituation,
  owners: NotedOwners,
  signal: AbortSignal,
) {
  const holder = holderOf(resolution, request.metadata);
  if (holder === undefined) return undefined;
  const reader = ports.gitOps.reader(signal);
  const holds = request.status?.holds ?? [];
  const { namespace = "", name } = request.metadata;
  for (const hold of holds) {
    const look = await lookAtHold(hold, { namespace, name }, 0, reader);
    if (look.kind === "Lost") return { kind: "Refused", reason: "HoldLost", message: look.message } as const;
  }
  if (owners.list().length === 0) return undefined;
  const found = await findHolds(owners.list(), holder, reader);
  if (found.kind === "Refused") return found;
  const held = new Set(holds.map(({ uid }) => uid));
  const strange = found.holds.find(({ uid }) => !held.has(uid));
  if (strange === undefined) return undefined;
  const message = `${ownerText(strange)} has come to own ${strange.objects.join(", ")} and is not stopped by this request`;
  return { kind: "Refused", reason: "GitOpsManaged", message } as const;
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
