import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_LEDGERS } from "../../src/kube/rollback-kinds.ts";
import { leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { dieAfterEachWrite, driveRequest, SYSTEM } from "../support/mortal-operator.ts";
import { refuseScaling } from "../support/refuse-scaling.ts";
import { imageOf, openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

/** The restart gives the restored version another number, and so does its way back. */
const STEPS = [
  { name: "stop", scale: { kind: "Deployment", name: "worker", replicas: 0 } },
  { name: "site", workload: { kind: "Deployment", name: "web", to: { strategy: "Previous" } } },
  { name: "fresh", restart: { kind: "Deployment", name: "web" } },
  { name: "more", scale: { kind: "Deployment", name: "refused", replicas: 3 } },
];

const { signal } = new AbortController();

describe("the operator dies after each write while it undoes a request", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await refuseScaling(world);
  }, 90_000);

  afterAll(async () => {
    await world?.stop();
  }, 60_000);

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "scale", "restart"] });
    await Promise.all([
      shop.open("web").then(() => shop.release("web:v2", "web")),
      shop.open("worker"),
      shop.open("refused"),
    ]);
    await shop.ask("undo", undefined, {
      steps: STEPS,
      onFailure: "Compensate",
      verification: { checks: [] },
    });
    return shop;
  }

  /** What is not as one undisturbed request leaves it. */
  async function outcome(shop: Shop) {
    const { namespace, executor } = shop;
    const [request, web, worker, audit, ledgers, leases] = await Promise.all([
      shop.request("undo"),
      shop.live("web"),
      shop.live("worker"),
      readAudit(world.controlPlane.auditLogPath),
      world.client.list(ROLLBACK_LEDGERS, { namespace, signal }),
      world.client.list(leaseType, { namespace: SYSTEM, signal }),
    ]);
    const { status, metadata } = request;
    const ledger = ledgers.items.find(({ spec }) => spec.target.name === "web")?.spec;
    return {
      phase: status?.phase,
      progress: status?.progress,
      failure: status?.compensating?.reason,
      states: status?.steps?.map(({ name, state }) => `${name} ${state}`),
      finalizers: metadata.finalizers ?? [],
      image: imageOf(web),
      annotations: web.spec.template.metadata?.annotations,
      replicas: worker.spec.replicas,
      acts: audit
        .writes({ namespace, actor: executor })
        .map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/")),
      marks: ledger?.marks.map(({ revision, request: by }) => [revision, by]),
      products: ledger?.releases
        .filter(({ rollbackBy }) => rollbackBy === "undo")
        .map(({ revision }) => revision),
      executed: ledgers.items.map(({ spec }) =>
        spec.executed.map(({ name, outcome: ended }) => [name, ended]),
      ),
      locks: leases.items.filter(({ spec }) => spec?.holderIdentity?.startsWith(`${namespace}/`) === true)
        .length,
    };
  }

  const UNDISTURBED = {
    phase: "Compensated",
    progress: "3/3 undone",
    failure: "StepFailed",
    states: [
      "stop Succeeded",
      "site Succeeded",
      "fresh Succeeded",
      "more Failed",
      "undo-fresh Succeeded",
      "undo-site Succeeded",
      "undo-stop Succeeded",
    ],
    finalizers: [],
    image: "web:v2",
    annotations: undefined,
    replicas: 2,
    acts: ["worker/scale", "web", "web", "web", "web", "worker/scale"],
    marks: [[2, "undo"]],
    products: [3, 6],
    executed: Array.from({ length: 3 }, () => [["undo", "Compensated"]]),
    locks: 0,
  };

  it("same end, nothing done twice", async () => {
    let failedAt = Infinity;
    await dieAfterEachWrite({
      world,
      prefix: "undone",
      open,
      drive: (client, namespace) => driveRequest(client, `${namespace}/undo`),
      outcome,
      undisturbed: UNDISTURBED,
      // Journal, ledgers and acts of three undos.
      moreThan: 15,
      onWrite(ordinal, args) {
        if (JSON.stringify(args).includes('"compensating"')) failedAt = Math.min(failedAt, ordinal);
      },
      // What comes before is the same in every request of several steps.
      from: () => failedAt - 1,
    });
  }, 400_000);

  it("same end where two controllers carry it out at the same time", async () => {
    const shop = await open("undone-twice");

    await Promise.all([1, 2].map(() => driveRequest(world.client, "undone-twice/undo")));

    expect(await outcome(shop)).toEqual(UNDISTURBED);
  }, 60_000);
});
