import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { hasOpenHolds, isFinished, isOpenHold } from "../request/phase.ts";
import { runStoreController, type StoreControllerOptions } from "../store-controller.ts";
import type { HoldPorts } from "./ports.ts";
import { reconcileHolds } from "./reconcile.ts";

const RECONCILE_TIMEOUT_MS = 30_000;

/** Its store is that of the requests. */
export interface HoldControllerOptions extends StoreControllerOptions<RollbackRequest> {
  readonly ports: HoldPorts;
}

/** Ends the holds of finished requests when Git agrees or a person asks, until the signal aborts. */
export function runHoldController(options: HoldControllerOptions, signal: AbortSignal): Promise<void> {
  const { ports } = options;
  const loop = {
    clock: ports.clock,
    concerns: (request: RollbackRequest) => isFinished(request) && hasOpenHolds(request),
    reconcile: (key: string, abort: AbortSignal) => reconcileHolds(ports, key, abort),
    timeoutMs: RECONCILE_TIMEOUT_MS,
    backoff: { baseMs: 200, maxMs: 60_000 },
  };
  return runStoreController(options, loop, signal);
}

/** Open holds by kind, and since when the oldest of each is, ms since the epoch: for metrics. */
export function countHolds(
  requests: readonly RollbackRequest[],
): ReadonlyMap<string, { readonly count: number; readonly oldest: number }> {
  const open = requests.flatMap(({ status }) => status?.holds ?? []).filter(isOpenHold);
  const byKind = Map.groupBy(open, ({ kind }) => kind);
  return new Map(
    [...byKind].map(([kind, holds]) => [
      kind,
      { count: holds.length, oldest: Math.min(...holds.map(({ since }) => Date.parse(since))) },
    ]),
  );
}
