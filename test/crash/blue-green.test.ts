import { afterAll, beforeAll, describe, it } from "@jest/globals";
import { reconcileDue } from "../../src/controllers/due/reconcile.ts";
import { targetHash } from "../../src/controllers/ledger/ledger.ts";
import { reconcileRequest } from "../../src/controllers/request/reconcile.ts";
import type { KubeClient } from "../../src/kube/client.ts";
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
import { startMachine } from "../support/machine.ts";
import { dieAfterEachWrite, portsOf, SYSTEM, untilDone } from "../support/mortal-operator.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

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

  /** Passes as the work queue makes them, only sooner: first the request, then what it has left to be finished. */
  async function drive(client: KubeClient, namespace: string): Promise<void> {
    const ports = portsOf(client);
    await untilDone(() => reconcileRequest(ports, `${namespace}/undo`, signal));
    const name = targetHash({ group: "", kind: "Service", namespace, name: "web" });
    const due = { ...ports, onFinished: () => undefined };
    await untilDone(() => reconcileDue(due, `${namespace}/${name}`, signal));
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
    await dieAfterEachWrite({
      world,
      prefix: "colours",
      open,
      drive,
      outcome,
      undisturbed: UNDISTURBED,
      // Locks, ledgers, journal and acts of the step, and the same of what is finished afterwards.
      moreThan: 25,
    });
  }, 300_000);
});
