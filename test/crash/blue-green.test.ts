import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createActions } from "../../src/actions/registry.ts";
import { createChecks } from "../../src/checks/registry.ts";
import { SoakRuns } from "../../src/checks/soak-runs.ts";
import { reconcileDue } from "../../src/controllers/due/reconcile.ts";
import { targetHash } from "../../src/controllers/ledger/ledger.ts";
import type { RequestPorts } from "../../src/controllers/request/ports.ts";
import { reconcileRequest } from "../../src/controllers/request/reconcile.ts";
import { TargetLocks } from "../../src/controllers/request/target-lock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import type { ReconcileResult } from "../../src/kube/controller.ts";
import { ROLLBACK_LEDGERS } from "../../src/kube/rollback-kinds.ts";
import { leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import {
  endpointsOf,
  MACHINE,
  openBlueGreen,
  podsOfColor,
  serviceOf,
  toBlue,
} from "../support/blue-green.ts";
import { Crash, faultyClient } from "../support/faulty-client.ts";
import { startMachine } from "../support/machine.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const SYSTEM = "rollback-system";
const WRITES = new Set(["create", "replace", "replaceStatus", "patch", "delete"]);
/** Shops that are open at the same time: the API server has more to do than the runs. */
const AT_ONCE = 6;

const signal = new AbortController().signal;

/**
 * The passes of both controllers in this process, against the real API server: the request that moves the traffic, and
 * then what finishes its temporary changes. Reads leave the world as it is, so a death after each write leaves every
 * state that a death between any two calls can leave.
 */
describe("the operator dies after each write of a change of colour and of its end", () => {
  let world: World;
  let machine: Awaited<ReturnType<typeof startMachine>> | undefined;

  beforeAll(async () => {
    world = await startWorld({ podIP: "10.1.2.3" });
    machine = await startMachine(world.client, MACHINE);
  }, 90_000);

  afterAll(async () => {
    await machine?.stop();
    await world?.stop();
  }, 60_000);

  /** All that one process has; nothing of it survives. */
  function portsOf(client: KubeClient): RequestPorts {
    const sample = () => Promise.reject(new Error("no signal here"));
    const soaks = new SoakRuns(createChecks({ sample, lookbackMs: () => 0 }));
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

  /** Passes as the work queue makes them, only sooner: first the request, then what it has left to be finished. */
  async function drive(client: KubeClient, namespace: string): Promise<void> {
    const ports = portsOf(client);
    await pass(() => reconcileRequest(ports, `${namespace}/undo`, signal));
    const name = targetHash({ group: "", kind: "Service", namespace, name: "web" });
    const due = { ...ports, onFinished: () => undefined };
    await pass(() => reconcileDue(due, `${namespace}/${name}`, signal));
  }

  async function pass(reconcile: () => Promise<ReconcileResult>): Promise<void> {
    for (;;) {
      const result = await reconcile();
      if (!("afterMs" in result)) return;
      await sleep(Math.min(result.afterMs, 50));
    }
  }

  /** A client whose process dies when its write of this ordinal has been stored; how many it made. */
  function mortal(deathAt: number) {
    let writes = 0;
    let isDead = false;
    const { client } = faultyClient(world.client, {
      before() {
        if (isDead) throw new Crash("dead already");
      },
      after(_, verb, args) {
        const options = args.at(-1) as { readonly dryRun?: boolean } | undefined;
        if (!WRITES.has(verb) || options?.dryRun === true) return;
        writes += 1;
        if (writes < deathAt) return;
        isDead = true;
        throw new Crash(`after write ${writes}: ${verb}`);
      },
    });
    return { client, writes: () => writes };
  }

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["blue-green"] });
    await openBlueGreen(shop, world.client, "web", { idle: 0 });
    const steps = [{ name: "traffic", blueGreen: toBlue("web", { holdFor: "500ms" }) }];
    await shop.ask("undo", undefined, { steps, verification: { checks: [] } });
    return shop;
  }

  /** What is not as one undisturbed request leaves it. */
  async function outcome({ namespace, executor, request, live }: Shop) {
    const [{ status, metadata }, service, blue, green, audit, ledgers, leases] = await Promise.all([
      request("undo"),
      serviceOf(world.client, namespace),
      live("web-blue"),
      live("web-green"),
      readAudit(world.controlPlane.auditLogPath),
      world.client.list(ROLLBACK_LEDGERS, { namespace, signal }),
      world.client.list(leaseType, { namespace: SYSTEM, signal }),
    ]);
    const [endpoints, pods] = await Promise.all([
      endpointsOf(world.client, namespace, "web"),
      podsOfColor(world.client, namespace, "web", "blue"),
    ]);
    const holders = leases.items.map(({ spec }) => spec?.holderIdentity ?? "");
    return {
      phase: status?.phase,
      states: status?.steps?.map(({ state }) => state),
      finalizers: metadata.finalizers ?? [],
      selector: service.spec.selector,
      replicas: [blue.spec.replicas, green.spec.replicas],
      isServedByBlueOnly: endpoints.join() === pods.join() && pods.length === 2,
      acts: audit
        .writes({ namespace, actor: executor })
        .map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/")),
      due: ledgers.items.flatMap(({ spec }) => spec.due ?? []),
      executed: ledgers.items
        .find(({ spec }) => spec.target.kind === "Service")
        ?.spec.executed.map(({ name, outcome: ended }) => [name, ended]),
      // Nobody waits longer than some seconds for one that finished, or died finishing, a temporary change.
      locks: holders.filter((holder) => holder.startsWith(`${namespace}/`) && !holder.includes("/due-"))
        .length,
    };
  }

  const UNDISTURBED = {
    phase: "Succeeded",
    states: ["Succeeded"],
    finalizers: [],
    selector: { site: "web", version: "blue" },
    replicas: [2, 0],
    isServedByBlueOnly: true,
    acts: ["web-blue/scale", "web", "web-green/scale"],
    due: [],
    executed: [["undo", "Succeeded"]],
    locks: 0,
  };

  it("same end, nothing done twice", async () => {
    const undisturbed = await open("colours-0");
    const counted = mortal(Infinity);
    await drive(counted.client, "colours-0");
    expect(await outcome(undisturbed)).toEqual(UNDISTURBED);
    // Locks, ledgers, journal and acts of the step, and the same of what is finished afterwards.
    expect(counted.writes()).toBeGreaterThan(25);

    let deaths = 0;
    const queue = Array.from({ length: counted.writes() }, (_, index) => index + 1);
    async function work(): Promise<void> {
      for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
        const shop = await open(`colours-${at}`);
        const death = await drive(mortal(at).client, shop.namespace).catch((error: unknown) => error);
        if (death !== undefined && !(death instanceof Crash)) throw death;
        if (death !== undefined) deaths += 1;

        await drive(world.client, shop.namespace);

        const where = String(death);
        expect({ at: where, ...(await outcome(shop)) }).toEqual({ at: where, ...UNDISTURBED });
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work));

    // How often a wait is written down depends on how fast pods are.
    expect(deaths).toBeGreaterThan(25);
  }, 300_000);
});
