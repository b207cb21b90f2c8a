import { setTimeout as sleep } from "node:timers/promises";
import { createActions } from "../../src/actions/registry.ts";
import { createChecks } from "../../src/checks/registry.ts";
import { SoakRuns } from "../../src/checks/soak-runs.ts";
import type { RequestPorts } from "../../src/controllers/request/ports.ts";
import { reconcileRequest } from "../../src/controllers/request/reconcile.ts";
import { TargetLocks } from "../../src/controllers/request/target-lock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { Crash, faultyClient } from "./faulty-client.ts";

/** The operator's own namespace, where the locks are. */
export const SYSTEM = "rollback-system";

const WRITES = new Set(["create", "replace", "replaceStatus", "patch", "delete"]);

const { signal } = new AbortController();

/** All that one process has; nothing of it survives. */
function portsOf(client: KubeClient): RequestPorts {
  const soaks = new SoakRuns(
    createChecks({
      sample: () => Promise.reject(new Error("no signal here")),
      lookbackMs: () => 0,
    }),
  );
  return {
    client,
    cached: () => undefined,
    cachedLedger: () => undefined,
    policiesOn: () => [],
    workload: () => undefined,
    cluster: () => ({ automaticRollbacks: [], maxPerTenMinutes: 100 }),
    mayRunUnasked: () => false,
    clock: systemClock(),
    actions: createActions({ stuckAfterMs: () => 60_000, soaks }),
    locks: new TargetLocks(client, SYSTEM),
    verifications: soaks,
    killSwitch: () => ({ kind: "Off" }),
    defaultExecutor: "rollback-executor",
    record: () => undefined,
    observer: { acted: () => undefined, finished: () => undefined },
  };
}

/** Passes of the request controller in this process as the work queue makes them, only sooner, until the end. */
export async function driveRequest(client: KubeClient, key: string): Promise<void> {
  const ports = portsOf(client);
  for (;;) {
    const result = await reconcileRequest(ports, key, signal);
    if (!("afterMs" in result)) return;
    await sleep(Math.min(result.afterMs, 50));
  }
}

/**
 * A client whose process dies when its write of this ordinal has been stored; how many it made. `onWrite` sees each
 * write with its ordinal, from 1, before that.
 */
export function mortal(
  alive: KubeClient,
  deathAt: number,
  onWrite: (ordinal: number, args: readonly unknown[]) => void = () => undefined,
) {
  let writes = 0;
  let isDead = false;
  const { client } = faultyClient(alive, {
    before() {
      if (isDead) throw new Crash("dead already");
    },
    after(_, verb, args) {
      const options = args.at(-1) as { readonly dryRun?: boolean } | undefined;
      if (!WRITES.has(verb) || options?.dryRun === true) return;
      writes += 1;
      onWrite(writes, args);
      if (writes < deathAt) return;
      isDead = true;
      throw new Crash(`after write ${writes}: ${verb}`);
    },
  });
  return { client, writes: () => writes };
}
