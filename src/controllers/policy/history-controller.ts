import type { KubeClient } from "../../kube/client.ts";
import type { Clock, Random } from "../../kube/clock.ts";
import { fixedWorkers, runControllerWith, type ReconcileResult } from "../../kube/controller.ts";
import { isConflict, isNotFound } from "../../kube/errors.ts";
import { keyOf, objectKey } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../../kube/work-queue.ts";
import { ledgerKey } from "../ledger/ledger.ts";
import { isFinished } from "../request/phase.ts";
import { REQUESTS_BY_POLICY, requestPolicy, surplusRequests } from "./history.ts";
import { REPLICA_SETS_BY_OWNER, type PolicyPorts } from "./ports.ts";
import { targetOf } from "./reconcile.ts";
import { viewTarget } from "./target.ts";
import { queueAll } from "./wake.ts";

/** Nobody waits for it. */
const WORKERS = 2;
const RECONCILE_TIMEOUT_MS = 60_000;

export type HistoryPorts = Pick<
  PolicyPorts,
  "client" | "clock" | "policies" | "requests" | "ledgers" | "deployments" | "replicaSets"
>;

export interface HistoryControllerOptions {
  readonly ports: HistoryPorts;
  readonly random: Random;
  readonly clock: Clock;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
}

/**
 * Deletes finished requests beyond `spec.history`, until the signal aborts. A loop of its own: a right that is missing
 * here must not slow down the evaluation of a policy.
 */
export async function runHistoryController(
  options: HistoryControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { ports, clock, random, hooks } = options;
  const queue = createWorkQueue({ clock, random, hooks, backoff: { baseMs: 1_000, maxMs: 600_000 } });
  const add = (key: string) => queue.add(key, { priority: priorities.resync });
  const stops = [
    ports.policies.onChange(({ object }) => add(keyOf(object))),
    ports.requests.onChange(({ object }) => {
      if (isFinished(object)) requestPolicy(object).forEach(add);
    }),
  ];
  queueAll(ports.policies, queue);
  await runControllerWith(stops, {
    queue,
    workers: fixedWorkers(WORKERS),
    reconcile: (key, abort) => pruneHistory(ports, key, abort),
    timeoutMs: RECONCILE_TIMEOUT_MS,
    clock,
    onError: options.onError,
    signal,
  });
}

/** Deletes what is too much of one policy. Throws KubeError. */
export async function pruneHistory(
  ports: HistoryPorts,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const policy = ports.policies.get(key);
  if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) return { done: true };
  const target = targetOf(policy);
  const deployment = ports.deployments.get(`${target.namespace}/${target.name}`);
  const view =
    deployment === undefined
      ? undefined
      : viewTarget(deployment, ports.replicaSets.byIndex(REPLICA_SETS_BY_OWNER, deployment.metadata.uid));
  const surplus = surplusRequests({
    limits: policy.spec.history,
    requests: ports.requests.byIndex(REQUESTS_BY_POLICY, key),
    ledger: ports.ledgers.get(ledgerKey(target))?.spec,
    live: view?.live,
    now: ports.clock.now(),
  });
  for (const request of surplus) await remove(ports.client, request, signal);
  // What is held back for the live release goes with the next end of a request, or the next change of the policy.
  return { done: true };
}

/** This very object as it was looked at: a successor of the same name, or one that moved since, stays. */
async function remove(client: KubeClient, request: RollbackRequest, signal: AbortSignal): Promise<void> {
  const { uid, resourceVersion } = request.metadata;
  try {
    await client.delete(ROLLBACK_REQUESTS, objectKey(request), {
      preconditions: { uid, resourceVersion },
      propagation: "Background",
      signal,
    });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
