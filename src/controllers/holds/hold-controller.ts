import type { Random } from "../../kube/clock.ts";
import { fixedWorkers, runControllerWith } from "../../kube/controller.ts";
import { keyOf } from "../../kube/objects.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Store } from "../../kube/store.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../../kube/work-queue.ts";
import { hasOpenHolds, isFinished } from "../request/phase.ts";
import type { HoldPorts } from "./ports.ts";
import { reconcileHolds } from "./reconcile.ts";

const WORKERS = 2;
const RECONCILE_TIMEOUT_MS = 30_000;

export interface HoldControllerOptions {
  readonly ports: HoldPorts;
  readonly requests: Pick<Store<RollbackRequest>, "list" | "onChange">;
  readonly random: Random;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
  /** Called when the kill switch moves; returns how to stop listening. */
  readonly onKillSwitch: (listener: () => void) => () => void;
}

/** Ends the holds of finished requests when Git agrees or a person asks, until the signal aborts. */
export async function runHoldController(options: HoldControllerOptions, signal: AbortSignal): Promise<void> {
  const { ports, requests, random, hooks } = options;
  const { clock } = ports;
  const queue = createWorkQueue({ clock, random, hooks, backoff: { baseMs: 200, maxMs: 60_000 } });
  const add = (request: RollbackRequest) => {
    if (isFinished(request) && hasOpenHolds(request)) {
      queue.add(keyOf(request), { priority: priorities.normal });
    }
  };
  const addAll = () => requests.list().forEach(add);
  const stops = [
    requests.onChange((change) => {
      if (change.type !== "deleted") add(change.object);
    }),
    options.onKillSwitch(addAll),
  ];
  addAll();
  await runControllerWith(stops, {
    queue,
    workers: fixedWorkers(WORKERS),
    reconcile: (key, abort) => reconcileHolds(ports, key, abort),
    timeoutMs: RECONCILE_TIMEOUT_MS,
    clock,
    onError: options.onError,
    signal,
  });
}

/** Open holds by kind, and since when the oldest of each is, ms since the epoch: for metrics. */
export function countHolds(
  requests: readonly RollbackRequest[],
): ReadonlyMap<string, { readonly count: number; readonly oldest: number }> {
  const open = requests
    .filter(hasOpenHolds)
    .flatMap(({ status }) => status?.holds ?? [])
    .filter(({ state }) => state === "Setting" || state === "Held");
  const byKind = Map.groupBy(open, ({ kind }) => kind);
  return new Map(
    [...byKind].map(([kind, holds]) => [
      kind,
      { count: holds.length, oldest: Math.min(...holds.map(({ since }) => Date.parse(since))) },
    ]),
  );
}
