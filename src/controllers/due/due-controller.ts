import type { Random } from "../../kube/clock.ts";
import { fixedWorkers, runControllerWith } from "../../kube/controller.ts";
import { keyOf } from "../../kube/objects.ts";
import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import type { Store } from "../../kube/store.ts";
import { createWorkQueue, priorities, type WorkQueueHooks } from "../../kube/work-queue.ts";
import type { DuePorts } from "./ports.ts";
import { reconcileDue } from "./reconcile.ts";

/** Nobody waits for them. */
const WORKERS = 2;
/** Less than a finisher's lock lasts: a pass that is abandoned must not write after it. */
const RECONCILE_TIMEOUT_MS = 20_000;

export interface DueControllerOptions {
  readonly ports: DuePorts;
  readonly ledgers: Pick<Store<RollbackLedger>, "list" | "onChange">;
  readonly random: Random;
  readonly hooks: WorkQueueHooks;
  readonly onError: (key: string, error: unknown, retries: number) => void;
  /** Called when the kill switch moves; returns how to stop listening. */
  readonly onKillSwitch: (listener: () => void) => () => void;
}

/** Finishes the temporary changes of all ledgers when they are due, until the signal aborts. */
export async function runDueController(options: DueControllerOptions, signal: AbortSignal): Promise<void> {
  const { ports, ledgers, random, hooks } = options;
  const { clock } = ports;
  const queue = createWorkQueue({ clock, random, hooks, backoff: { baseMs: 1_000, maxMs: 300_000 } });
  const add = (ledger: RollbackLedger) => {
    if ((ledger.spec.due ?? []).length > 0) queue.add(keyOf(ledger), { priority: priorities.normal });
  };
  const addAll = () => ledgers.list().forEach(add);
  const stops = [
    ledgers.onChange((change) => {
      if (change.type !== "deleted") add(change.object);
    }),
    options.onKillSwitch(addAll),
  ];
  addAll();
  await runControllerWith(stops, {
    queue,
    workers: fixedWorkers(WORKERS),
    reconcile: (key, abort) => reconcileDue(ports, key, abort),
    timeoutMs: RECONCILE_TIMEOUT_MS,
    clock,
    onError: options.onError,
    signal,
  });
}
