import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "@jest/globals";
import { createActions } from "../../src/actions/registry.ts";
import { createChecks } from "../../src/checks/registry.ts";
import { SoakRuns } from "../../src/checks/soak-runs.ts";
import type { RequestPorts } from "../../src/controllers/request/ports.ts";
import { reconcileRequest } from "../../src/controllers/request/reconcile.ts";
import { reconcileHolds } from "../../src/controllers/holds/reconcile.ts";
import { gitOpsPorts } from "../../src/controllers/gitops.ts";
import { TargetLocks } from "../../src/controllers/request/target-lock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import type { ReconcileResult } from "../../src/kube/controller.ts";
import { Crash, faultyClient } from "./faulty-client.ts";

/** The operator's own namespace, where the locks are. */
export const SYSTEM = "rollback-system";

/** As the manifests have it. */
export const HOLDING = { account: { namespace: SYSTEM, name: "rollback-hold" }, argoCdNamespace: "argocd" };

const WRITES = new Set(["create", "replace", "replaceStatus", "patch", "delete"]);

const { signal } = new AbortController();

/** All that one process has; nothing of it survives. */
export function portsOf(client: KubeClient): RequestPorts {
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
    gitOps: gitOpsPorts(client, () => HOLDING),
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
  await untilDone(() => reconcileRequest(ports, key, signal));
}

/** Passes of the hold controller in this process, until the request holds nothing any more. */
export async function driveHolds(client: KubeClient, key: string): Promise<void> {
  const { clock, actions, gitOps, killSwitch, record } = portsOf(client);
  const ports = { client, clock, actions, gitOps, killSwitch, record, onEnded: () => undefined };
  await untilDone(() => reconcileHolds(ports, key, signal));
}

/** Passes as the work queue makes them, only sooner. */
export async function untilDone(reconcile: () => Promise<ReconcileResult>): Promise<void> {
  for (;;) {
    const result = await reconcile();
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

/** Shops that are open at the same time: the API server has more to do than the runs. */
const AT_ONCE = 6;

/** What is done in a namespace, and how it looks when nobody dies. */
export interface MortalStory<Opened> {
  readonly world: { readonly client: KubeClient };
  /** Namespaces are `PREFIX-0` for the undisturbed run, then `PREFIX-N` for the death after write N. */
  readonly prefix: string;
  open(namespace: string): Promise<Opened>;
  /** All that one process does there, until it has nothing left to do. */
  drive(client: KubeClient, namespace: string): Promise<void>;
  /** What is not as one undisturbed run leaves it. */
  outcome(opened: Opened): Promise<object>;
  readonly undisturbed: object;
  /** There are more writes than this, and more deaths: how often a wait is written down depends on how fast pods are. */
  readonly moreThan: number;
  /** Sees each write of the undisturbed run. */
  readonly onWrite?: (ordinal: number, args: readonly unknown[]) => void;
  /** The first write after which a death is tried, asked after the undisturbed run; only the writes from there on count. */
  readonly from?: () => number;
}

/** Same end, nothing done twice, wherever the process dies and another one goes on. */
export async function dieAfterEachWrite<Opened>(story: MortalStory<Opened>): Promise<void> {
  const { world, prefix, undisturbed, moreThan } = story;
  const alone = await story.open(`${prefix}-0`);
  const counted = mortal(world.client, Infinity, story.onWrite);
  await story.drive(counted.client, `${prefix}-0`);
  expect(await story.outcome(alone)).toEqual(undisturbed);
  const from = story.from?.();
  expect(counted.writes() - (from ?? 0)).toBeGreaterThan(moreThan);

  let deaths = 0;
  const first = from ?? 1;
  const queue = Array.from({ length: counted.writes() - first + 1 }, (_, index) => first + index);
  async function work(): Promise<void> {
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
      const namespace = `${prefix}-${at}`;
      const opened = await story.open(namespace);
      const dying = story.drive(mortal(world.client, at).client, namespace);
      const death = await dying.catch((error: unknown) => error);
      if (death !== undefined && !(death instanceof Crash)) throw death;
      if (death !== undefined) deaths += 1;

      await story.drive(world.client, namespace);

      const where = String(death);
      expect({ at: where, ...(await story.outcome(opened)) }).toEqual({ at: where, ...undisturbed });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));

  expect(deaths).toBeGreaterThan(moreThan);
}
