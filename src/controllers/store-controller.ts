import type { Clock, Random } from "../kube/clock.ts";
import { fixedWorkers, runControllerWith, type ReconcileResult } from "../kube/controller.ts";
import { keyOf, type KubeObject } from "../kube/objects.ts";
import type { Store } from "../kube/store.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../kube/work-queue.ts";

/** Nobody waits for what these loops finish. */
const WORKERS = 2;

/** What every such loop gets from outside. */
export interface StoreControllerOptions<T extends KubeObject> {
  readonly store: Pick<Store<T>, "list" | "onChange">;
  readonly random: Random;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
  /** Called when the kill switch moves; returns how to stop listening. */
  readonly onKillSwitch: (listener: () => void) => () => void;
}

/** What the loop is about. */
export interface StoreLoop<T extends KubeObject> {
  readonly clock: Clock;
  /** Whether there is anything to finish. */
  readonly concerns: (object: T) => boolean;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
  readonly timeoutMs: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
}

/** Finishes what objects of one store have left, whenever one changes or the kill switch moves, until the signal aborts. */
export async function runStoreController<T extends KubeObject>(
  { store, random, hooks, onError, onKillSwitch }: StoreControllerOptions<T>,
  { clock, concerns, reconcile, timeoutMs, backoff }: StoreLoop<T>,
  signal: AbortSignal,
): Promise<void> {
  const queue = createWorkQueue({ clock, random, hooks, backoff });
  const add = (object: T) => {
    if (concerns(object)) queue.add(keyOf(object), { priority: priorities.normal });
  };
  const addAll = () => store.list().forEach(add);
  const stops = [
    store.onChange((change) => {
      if (change.type !== "deleted") add(change.object);
    }),
    onKillSwitch(addAll),
  ];
  addAll();
  await runControllerWith(stops, {
    queue,
    workers: fixedWorkers(WORKERS),
    reconcile,
    timeoutMs,
    clock,
    onError,
    signal,
  });
}
