import { isDeepStrictEqual } from "node:util";
import type { PlanResult } from "../../actions/action.ts";
import type { WorkloadPlan } from "../../actions/workload/index.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { addFinalizer } from "../../kube/finalizers.ts";
import { objectKey } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import { recordExecuted } from "../ledger/changes.ts";
import { changeLedger, readLedger } from "../ledger/ledger.ts";
import { planSentence } from "./decide.ts";
import { checkExecutor } from "./executor.ts";
import { FINALIZER } from "./phase.ts";
import type { RequestPorts } from "./ports.ts";
import type { ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { announcedFacts, runningStatus, type Activity } from "./status.ts";

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

async function withFinalizer(ports: RequestPorts, request: RollbackRequest, signal: AbortSignal) {
  const patch = addFinalizer(request, FINALIZER);
  return patch === undefined
    ? request
    : ports.client.patch(ROLLBACK_REQUESTS, objectKey(request), patch, { signal });
}
