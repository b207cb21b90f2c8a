import { afterAll, beforeAll, describe, it } from "@jest/globals";
import { ROLLBACK_LEDGERS } from "../../src/kube/rollback-kinds.ts";
import { leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { dieAfterEachWrite, driveRequest, SYSTEM } from "../support/mortal-operator.ts";
import { imageOf, openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const STEPS = [
  { name: "stop", scale: { kind: "Deployment", name: "worker", replicas: 0 } },
  { name: "site", workload: { kind: "Deployment", name: "web", to: { strategy: "Previous" } } },
  { name: "fresh", restart: { kind: "Deployment", name: "web" } },
];

const signal = new AbortController().signal;

/**
 * The passes of the request controller in this process, against the real API server. Reads leave the world as it is,
 * so a death after each write leaves every state that a death between any two calls can leave.
 */
describe("the operator dies after each write of a request of several steps", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  }, 90_000);

  afterAll(async () => {
    await world?.stop();
  }, 60_000);

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "scale", "restart"] });
    await Promise.all([shop.open("web").then(() => shop.release("web:v2", "web")), shop.open("worker")]);
    await shop.ask("undo", undefined, { steps: STEPS, verification: { checks: [] } });
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
    const restartedAt = web.spec.template.metadata?.annotations?.["kubectl.kubernetes.io/restartedAt"];
    const ledger = ledgers.items.find(({ spec }) => spec.target.name === "web")?.spec;
    const first = ledgers.items.find(({ spec }) => spec.target.name === "worker")?.spec;
    return {
      phase: status?.phase,
      progress: status?.progress,
      states: status?.steps?.map(({ state }) => state),
      finalizers: metadata.finalizers ?? [],
      image: imageOf(web),
      replicas: worker.spec.replicas,
      isRestartAsPlanned:
        restartedAt !== undefined && restartedAt === status?.plan?.steps[2]?.to?.restartedAt,
      acts: audit
        .writes({ namespace, actor: executor })
        .map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/")),
      marks: ledger?.marks.map(({ revision, request: by }) => [revision, by]),
      products: ledger?.releases
        .filter(({ rollbackBy }) => rollbackBy === "undo")
        .map(({ revision }) => revision),
      executed: first?.executed.map(({ name, outcome: ended }) => [name, ended]),
      locks: leases.items.filter(({ spec }) => spec?.holderIdentity?.startsWith(`${namespace}/`) === true)
        .length,
    };
  }

  const UNDISTURBED = {
    phase: "Succeeded",
    progress: "3/3",
    states: ["Succeeded", "Succeeded", "Succeeded"],
    finalizers: [],
    image: "web:v1",
    replicas: 0,
    isRestartAsPlanned: true,
    acts: ["worker/scale", "web", "web"],
    marks: [[2, "undo"]],
    products: [3],
    executed: [["undo", "Succeeded"]],
    locks: 0,
  };

  it("same end, nothing done twice", async () => {
    await dieAfterEachWrite({
      world,
      prefix: "steps",
      open,
      drive: (client, namespace) => driveRequest(client, `${namespace}/undo`),
      outcome,
      undisturbed: UNDISTURBED,
      // Locks, ledgers, journal and acts of three steps.
      moreThan: 20,
    });
  }, 300_000);
});
