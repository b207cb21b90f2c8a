import type { RollbackLedger } from "../../kube/rollback-kinds.ts";
import { runStoreController, type StoreControllerOptions } from "../store-controller.ts";
import type { DuePorts } from "./ports.ts";
import { reconcileDue } from "./reconcile.ts";

/** Less than a finisher's lock lasts: a pass that is abandoned must not write after it. */
const RECONCILE_TIMEOUT_MS = 20_000;

/** Its store is that of the ledgers. */
export interface DueControllerOptions extends StoreControllerOptions<RollbackLedger> {
  readonly ports: DuePorts;
}

/** Finishes the temporary changes of all ledgers when they are due, until the signal aborts. */
export function runDueController(options: DueControllerOptions, signal: AbortSignal): Promise<void> {
  const { ports } = options;
  const loop = {
    clock: ports.clock,
    concerns: ({ spec }: RollbackLedger) => (spec.due ?? []).length > 0,
    reconcile: (key: string, abort: AbortSignal) => reconcileDue(ports, key, abort),
    timeoutMs: RECONCILE_TIMEOUT_MS,
    backoff: { baseMs: 1_000, maxMs: 300_000 },
  };
  return runStoreController(options, loop, signal);
}
