import { afterAll, beforeAll, describe, it } from "@jest/globals";
import { ROLLBACK_LEDGERS } from "../../src/kube/rollback-kinds.ts";
import { leaseType } from "../../src/kube/well-known.ts";
import { installArgoRolloutsCrds, startArgoRollouts, type ArgoRollouts } from "../support/argo-rollouts.ts";
import { dieAfterEachWrite, driveRequest, SYSTEM } from "../support/mortal-operator.ts";
import { imageOfRollout, PAUSED_CANARY, rolloutsOf, type Rollouts } from "../support/rollouts.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 120_000;
const signal = new AbortController().signal;

/** Between the abort and the template is a state that Argo Rollouts would keep for ever. */
describe("the operator dies after each write while it takes a canary of Argo Rollouts back", () => {
  let world: World;
  let argo: ArgoRollouts | undefined;

  beforeAll(async () => {
    world = await startWorld();
    await installArgoRolloutsCrds(world.kubectl);
    argo = await startArgoRollouts(world);
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await world?.stop();
  }, START_MS);

  async function open(namespace: string): Promise<{ readonly shop: Shop; readonly rollouts: Rollouts }> {
    const shop = await openShop(world, namespace, { actions: ["workload", "rollout"] });
    const rollouts = rolloutsOf(world, shop);
    await rollouts.open("web", PAUSED_CANARY);
    await rollouts.release("web:v2", "web");
    await until(
      "the canary waits",
      () => rollouts.live("web"),
      ({ status }) => status?.phase === "Paused",
    );
    const workload = { kind: "Rollout", name: "web", to: { strategy: "Previous" } };
    await shop.ask("undo", undefined, { steps: [{ name: "app", workload }], verification: { checks: [] } });
    return { shop, rollouts };
  }

  /** What is not as one undisturbed request leaves it. */
  async function outcome({ shop, rollouts }: { readonly shop: Shop; readonly rollouts: Rollouts }) {
    const { namespace } = shop;
    const [request, web, sets, acts, ledgers, leases] = await Promise.all([
      shop.request("undo"),
      rollouts.healthy("web"),
      rollouts.replicaSets("web"),
      rollouts.acts("web", 2),
      world.client.list(ROLLBACK_LEDGERS, { namespace, signal }),
      world.client.list(leaseType, { namespace: SYSTEM, signal }),
    ]);
    const { status, metadata } = request;
    const ledger = ledgers.items[0]?.spec;
    return {
      phase: status?.phase,
      states: status?.steps?.map(({ state }) => state),
      finalizers: metadata.finalizers ?? [],
      image: imageOfRollout(web),
      isAborted: web.status?.abort === true,
      replicaSets: sets.length,
      acts,
      marks: ledger?.marks.map(({ revision, request: by }) => [revision, by]),
      products: ledger?.releases
        .filter(({ rollbackBy }) => rollbackBy === "undo")
        .map(({ revision }) => revision),
      executed: ledger?.executed.map(({ name, outcome: ended }) => [name, ended]),
      locks: leases.items.filter(({ spec }) => spec?.holderIdentity?.startsWith(`${namespace}/`) === true)
        .length,
    };
  }

  const UNDISTURBED = {
    phase: "Succeeded",
    states: ["Succeeded"],
    finalizers: [],
    image: "web:v1",
    isAborted: false,
    replicaSets: 2,
    acts: ["status", ""],
    marks: [[2, "undo"]],
    products: [3],
    executed: [["undo", "Succeeded"]],
    locks: 0,
  };

  it("same end, nothing done twice", async () => {
    await dieAfterEachWrite({
      world,
      prefix: "rollouts",
      open,
      drive: (client, namespace) => driveRequest(client, `${namespace}/undo`),
      outcome,
      undisturbed: UNDISTURBED,
      // Lock, ledger, journal, abort and template.
      moreThan: 8,
    });
  }, 300_000);
});
