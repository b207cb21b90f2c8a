import type { ApplyContext, ApplyResult, Progress } from "../../actions/action.ts";
import type { WorkloadPlan } from "../../actions/workload/index.ts";
import type { RevisionRef } from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { recordRollback } from "../ledger/changes.ts";
import { changeLedger } from "../ledger/ledger.ts";
import { planSentence, revisionText } from "./decide.ts";
import type { RequestPorts } from "./ports.ts";
import { activityOf, plannedStep, writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { stepFacts, timelineFacts, type Activity } from "./status.ts";

/** The one write to the target. */
export async function apply(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const plan = plannedStep(request);
  const result = await unlessForbidden(
    ports.workload.apply(plan, applyContext(ports, situation, signal)),
    plan.object,
  );
  switch (result.kind) {
    case "Refused": {
      const message = `${result.message}; nothing was changed by this request`;
      return { ...situation, progress: { kind: "Failed", reason: result.reason, message } };
    }
    case "Superseded":
    case "Unreadable":
      return { ...situation, progress: result };
    case "Applied": {
      const now = ports.clock.now();
      reportAct(ports, situation, plan);
      const at = new Date(now).toISOString();
      const facts = {
        ...stepFacts(request, { state: "Applied", appliedAt: at }),
        ...timelineFacts(request, { applied: at }),
      };
      return writeRunning(ports, situation, facts, activityOf(request), signal);
    }
  }
}

export async function look(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const plan = plannedStep(situation.request);
  const progress = await unlessForbidden(
    ports.workload.observe(plan, applyContext(ports, situation, signal)),
    plan.object,
  );
  return { ...situation, progress };
}

/** An executor that lost its rights must not keep its request from ending, least of all when it is deleted. */
async function unlessForbidden<T extends ApplyResult | Progress>(
  work: Promise<T>,
  object: string,
): Promise<T | Extract<Progress, { readonly kind: "Unreadable" }>> {
  try {
    return await work;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return {
      kind: "Unreadable",
      message: `the executor may not read ${object} any more: ${errorMessage(error)}`,
    };
  }
}

/** Ledger first: a crash between the two writes repeats both, and both are harmless to repeat. */
export async function recordProduct(
  ports: RequestPorts,
  situation: ResolvedSituation,
  after: RevisionRef,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution } = situation;
  const plan = plannedStep(request);
  const step = request.status?.steps?.[0];
  const at = step?.appliedAt ?? new Date(ports.clock.now()).toISOString();
  const ledger = await changeLedger(
    ports.client,
    resolution.target,
    (before) =>
      recordRollback(before, {
        targetUid: plan.objectUid,
        from: plan.from,
        after,
        at,
        request: request.metadata.name,
        reason: request.spec.reason || "rolled back by request",
      }),
    signal,
  );
  const facts = stepFacts(request, { after, ...(step?.appliedAt === undefined ? { appliedAt: at } : {}) });
  const recorded = await writeRunning(ports, situation, facts, activityOf(request), signal);
  return { ...recorded, ledger };
}

export async function completeStep(
  ports: RequestPorts,
  situation: ResolvedSituation,
  message: string,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const at = new Date(ports.clock.now()).toISOString();
  const facts = {
    ...stepFacts(request, { state: "Succeeded", finishedAt: at, message }),
    ...timelineFacts(request, { completed: at }),
    progress: "1/1",
  };
  const after = request.status?.steps?.[0]?.after;
  const back = after === undefined ? "rolled back" : `rolled back to ${revisionText(after)}`;
  ports.record({
    type: "Normal",
    reason: "StepSucceeded",
    action: "Rollback",
    note: `${back}: ${message}`,
    regarding: request,
  });
  const activity: Activity = {
    phase: "Verifying",
    reason: "Verifying",
    message: `${back}; verification pending`,
  };
  return writeRunning(ports, situation, facts, activity, signal);
}

function applyContext(
  ports: RequestPorts,
  { request, resolution }: ResolvedSituation,
  signal: AbortSignal,
): ApplyContext {
  const { namespace } = resolution.target;
  const appliedAt = request.status?.steps?.[0]?.appliedAt;
  return {
    executor: ports.client.as({ namespace, name: resolution.serviceAccountName }),
    namespace,
    signal,
    now: ports.clock.now(),
    appliedAt: appliedAt === undefined ? undefined : Date.parse(appliedAt),
  };
}

function reportAct(
  ports: RequestPorts,
  { request, resolution }: ResolvedSituation,
  plan: WorkloadPlan,
): void {
  const why = request.spec.reason === "" ? "" : `: ${request.spec.reason}`;
  ports.record({
    type: "Normal",
    reason: "RollbackStarted",
    action: "Rollback",
    note: `${planSentence(plan)}${why}`,
    regarding: request,
  });
  ports.observer.acted({
    request: `${request.metadata.namespace}/${request.metadata.name}`,
    uid: request.metadata.uid,
    executor: resolution.serviceAccountName,
    object: plan.object,
    from: `${plan.from.revision}/${plan.from.podTemplateHash}`,
    to: `${plan.to.revision}/${plan.to.podTemplateHash}`,
    digest: plan.digest,
  });
}
