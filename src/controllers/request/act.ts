import { isDeepStrictEqual } from "node:util";
import type { ApplyContext, ApplyResult, PlanResult, Progress } from "../../actions/action.ts";
import type { WorkloadPlan } from "../../actions/workload/index.ts";
import type { RevisionRef, RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { addFinalizer } from "../../kube/finalizers.ts";
import { objectKey } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import { recordExecuted, recordMark, recordRelease } from "../ledger/changes.ts";
import { changeLedger, readLedger } from "../ledger/ledger.ts";
import { planSentence, revisionText } from "./decide.ts";
import { checkExecutor } from "./executor.ts";
import { FINALIZER } from "./phase.ts";
import type { RequestPorts } from "./ports.ts";
import type { Resolved } from "./resolve.ts";
import type { Situation } from "./situation.ts";
import {
  announcedFacts,
  checkFacts,
  runningStatus,
  stepFacts,
  timelineFacts,
  type Activity,
} from "./status.ts";

/** A situation whose request resolved; everything after the first decision has one. */
type ResolvedSituation = Situation & { readonly resolution: Resolved };

/** Asks for the rights and makes the plan at once; a missing right is the refusal that is shown. */
export async function makePlan(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution, ledger, automatic } = situation;
  const { step, serviceAccountName } = resolution;
  const namespace = request.metadata.namespace ?? "";
  const account = { namespace, name: serviceAccountName };
  const planning = ports.workload.plan(step.name, step.workload, {
    executor: ports.client.as(account),
    executorName: serviceAccountName,
    namespace,
    ledger,
    from: request.status?.resolved?.from,
    expectedPodTemplateHash: request.spec.expect?.podTemplateHash,
    automatic: automatic !== undefined,
    signal,
  });
  const [able, plan] = await Promise.all([
    checkExecutor(ports.client, account, ports.workload.requiredRights(step.workload), signal),
    planning.catch(refusedIfForbidden),
  ]);
  return { ...situation, plan: able.kind === "Refused" ? able : plan };
}

/** Without a right the plan cannot be made; which right it is, the review of rights says better. */
function refusedIfForbidden(error: unknown): PlanResult<WorkloadPlan> {
  if (!isForbidden(error)) throw error;
  return { kind: "Refused", reason: "AccessDenied", message: errorMessage(error) };
}

/** Takes the target's lock. A plan that was made on an older ledger than the one under the lock is dropped. */
export async function takeLock(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { namespace = "", name, uid } = situation.request.metadata;
  const lock = await ports.locks.take(
    situation.resolution.target,
    { namespace, name, uid },
    ports.clock.now(),
    signal,
  );
  if (lock.kind === "Busy") return { ...situation, lock };
  // Whoever had the lock before us may have recorded a rollback since we looked: then our plan would undo it.
  const ledger = (await readLedger(ports.client, situation.resolution.target, signal))?.spec;
  return isDeepStrictEqual(ledger, situation.ledger)
    ? { ...situation, lock }
    : { ...situation, lock, ledger, plan: undefined };
}

/**
 * Writes down what is about to happen before it happens. The status write, with its resourceVersion, is the fence
 * between two leaders: the one that loses it stops.
 */
export async function announce(
  ports: RequestPorts,
  situation: ResolvedSituation,
  plan: WorkloadPlan,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution } = situation;
  const now = ports.clock.now();
  const { name, uid } = request.metadata;
  const entry = {
    name,
    uid,
    specDigest: resolution.specDigest,
    at: new Date(now).toISOString(),
    outcome: "Started",
  } as const;
  const [finalized, ledger] = await Promise.all([
    withFinalizer(ports, request, signal),
    changeLedger(ports.client, resolution.target, (before) => recordExecuted(before, entry), signal),
  ]);
  const activity: Activity = {
    phase: "Applying",
    reason: "Applying",
    message: `rolling back ${planSentence(plan)}`,
  };
  const status = runningStatus(finalized, announcedFacts(situation, now), activity, now);
  const announced = await writeStatus(ports.client, ROLLBACK_REQUESTS, finalized, status, { signal });
  return { ...situation, request: announced, ledger };
}

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
  const by = request.metadata.name;
  const ledger = await changeLedger(
    ports.client,
    resolution.target,
    (before) =>
      recordRelease(
        recordMark(before, {
          replicaSetUid: plan.from.uid,
          podTemplateHash: plan.from.podTemplateHash,
          revision: plan.from.revision,
          at,
          request: by,
          reason: request.spec.reason || "rolled back by request",
        }),
        {
          targetUid: plan.objectUid,
          replicaSetUid: after.uid,
          podTemplateHash: after.podTemplateHash,
          revision: after.revision,
          startedAt: at,
          rollbackBy: by,
        },
      ),
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

/** Takes the samples that are due; the status is written when an outcome changed, not at every sample. */
export async function verify(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request, resolution } = situation;
  const step = request.status?.steps?.[0];
  const now = ports.clock.now();
  const verification = await ports.verifications.advance(
    request.metadata.uid,
    resolution,
    Date.parse(step?.finishedAt ?? new Date(now).toISOString()),
    {
      executor: ports.client.as({
        namespace: resolution.target.namespace,
        name: resolution.serviceAccountName,
      }),
      namespace: resolution.target.namespace,
      workload: resolution.target.name,
      expected: step?.after ?? plannedStep(request).to,
      signals: resolution.signals,
      now,
      signal,
    },
  );
  const outcomes = (checks: readonly { readonly name: string; readonly outcome: string }[]) =>
    checks.map(({ name, outcome }) => `${name}=${outcome}`).join();
  if (outcomes(request.status?.checks ?? []) === outcomes(verification.checks))
    return { ...situation, verification };
  const written = await writeRunning(
    ports,
    situation,
    checkFacts(verification.checks),
    activityOf(request),
    signal,
  );
  return { ...written, verification };
}

/** Writes what the request waits for, if that is news. */
export async function writeRunning(
  ports: RequestPorts,
  situation: Situation,
  facts: Omit<RollbackRequestStatus, "conditions" | "phase" | "observedGeneration">,
  activity: Activity,
  signal: AbortSignal,
): Promise<Situation> {
  const status = runningStatus(situation.request, facts, activity, ports.clock.now());
  const request = await writeStatus(ports.client, ROLLBACK_REQUESTS, situation.request, status, { signal });
  return { ...situation, request };
}

/** The plan as it was announced. Throws TypeError on a status that was edited by hand. */
export function plannedStep(request: RollbackRequest): WorkloadPlan {
  const plan = request.status?.plan?.steps[0];
  if (plan?.from === undefined || plan.to === undefined) {
    throw new TypeError(`RollbackRequest ${request.metadata.name} acts without a plan in its status`);
  }
  return { ...plan, from: plan.from, to: plan.to };
}

async function withFinalizer(ports: RequestPorts, request: RollbackRequest, signal: AbortSignal) {
  const patch = addFinalizer(request, FINALIZER);
  return patch === undefined
    ? request
    : ports.client.patch(ROLLBACK_REQUESTS, objectKey(request), patch, { signal });
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

function activityOf(request: RollbackRequest): Activity {
  const ready = request.status?.conditions?.find(({ type }) => type === "Ready");
  return {
    phase: request.status?.phase ?? "Applying",
    reason: ready?.reason ?? "Applying",
    message: ready?.message ?? "",
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
