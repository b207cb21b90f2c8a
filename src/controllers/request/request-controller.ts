import { isDeepStrictEqual } from "node:util";
import type { Clock, Random } from "../../kube/clock.ts";
import { runControllerWith, type WorkerCount } from "../../kube/controller.ts";
import { keyOf, type KubeObject } from "../../kube/objects.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Store, StoreChange } from "../../kube/store.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../../kube/work-queue.ts";
import { isFinished, isWaitingForApproval } from "./phase.ts";
import type { RequestPorts } from "./ports.ts";
import { reconcileRequest } from "./reconcile.ts";

/** Index of the request store: `namespace/Kind/name` of each object of its steps, once they are planned. */
export const BY_TARGET = "target";

export function requestTargets({ metadata, status }: RollbackRequest): readonly string[] {
  const objects = new Set([
    ...(status?.target === undefined ? [] : [status.target]),
    ...(status?.plan?.steps ?? []).map(({ object }) => object),
  ]);
  return [...objects].map((object) => `${metadata.namespace}/${object}`);
}

/** What the message of a plan may hang on; the rest of a status only says how the rollout goes. */
function planMayDiffer(change: StoreChange<KubeObject>): boolean {
  if (change.type !== "updated") return true;
  const [now, before] = [change.object, change.previous].map((object) => {
    const { generation, labels, annotations, ownerReferences } = object.metadata;
    const { status } = object as { readonly status?: { readonly observedGeneration?: number } };
    return { generation, labels, annotations, ownerReferences, observed: status?.observedGeneration };
  });
  // Of kinds that are kept as bare identities nothing tells.
  return now?.generation === undefined || !isDeepStrictEqual(now, before);
}

/** Requests are few, and somebody waits for each: an API server that comes back is noticed within this time. */
const MAX_BACKOFF_MS = 10_000;

/** One pass reads and writes a handful of objects; longer means that the API server does not answer. */
const RECONCILE_TIMEOUT_MS = 60_000;

export interface RequestControllerOptions {
  readonly ports: RequestPorts;
  readonly requests: Store<RollbackRequest>;
  /** Their changes wake the requests about them. */
  readonly workloads: readonly {
    readonly kind: string;
    readonly store: Pick<Store<KubeObject>, "onChange">;
  }[];
  readonly workers: WorkerCount;
  readonly random: Random;
  readonly clock: Clock;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
  /** Called when the kill switch moves; returns how to stop listening. */
  readonly onKillSwitch: (listener: () => void) => () => void;
  /** How many requests wait for a person, after each change. */
  readonly onApprovals: (waiting: number) => void;
}

/** Carries every RollbackRequest to its end, until the signal aborts. */
export async function runRequestController(
  options: RequestControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const { ports, requests, workloads, clock, random, hooks } = options;
  const queue = createWorkQueue({ clock, random, hooks, backoff: { baseMs: 50, maxMs: MAX_BACKOFF_MS } });

  /** Running requests on a target: woken by changes of the target and by the end of the one before them. */
  function wakeTarget(target: string, mayDiffer = true): void {
    for (const request of requests.byIndex(BY_TARGET, target)) {
      // A workload that crashes again and again must not have the plan of a waiting request made each time.
      if (isFinished(request) || (!mayDiffer && isWaitingForApproval(request))) continue;
      queue.add(keyOf(request), { priority: priorities.urgent });
    }
  }

  /** Keys of the requests that wait for an answer. */
  const waiting = new Set<string>();
  function countApprovals(request: RollbackRequest, isGone = false): void {
    if (!isGone && isWaitingForApproval(request)) waiting.add(keyOf(request));
    else waiting.delete(keyOf(request));
    options.onApprovals(waiting.size);
  }

  function start(): void {
    options.onApprovals(0);
    for (const request of requests.list()) {
      queue.add(keyOf(request));
      countApprovals(request);
    }
  }

  const stops = [
    requests.onChange((change) => {
      if (change.type !== "deleted") {
        const initial = change.type === "added" && change.initial;
        queue.add(keyOf(change.object), { priority: initial ? priorities.normal : priorities.urgent });
      }
      if (change.type === "deleted" || isFinished(change.object))
        requestTargets(change.object).forEach((target) => wakeTarget(target));
      countApprovals(change.object, change.type === "deleted");
    }),
    ...workloads.map(({ kind, store }) =>
      store.onChange((change) => {
        const { namespace, name } = change.object.metadata;
        wakeTarget(`${namespace}/${kind}/${name}`, planMayDiffer(change));
      }),
    ),
    options.onKillSwitch(() => {
      for (const request of requests.list()) if (!isFinished(request)) queue.add(keyOf(request));
    }),
  ];
  // In a function of its own: the list would be kept as long as this one runs.
  start();
  await runControllerWith(stops, {
    queue,
    workers: options.workers,
    reconcile: (key, abort) => reconcileRequest(ports, key, abort),
    timeoutMs: RECONCILE_TIMEOUT_MS,
    clock,
    onError: options.onError,
    signal,
  });
}
