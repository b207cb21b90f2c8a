import { afterAll, beforeAll, describe, it } from "@jest/globals";
import { configMapType, leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { createMap, getMap, membersOfMap } from "../support/config-maps.ts";
import { dieAfterEachWrite, driveRequest, SYSTEM } from "../support/mortal-operator.ts";
import { container, openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

/** An immutable map that is deleted and created anew, a mutable one, one key of another; fresh pods for `web`. */
const STEPS = [
  { name: "fixed", configMap: { name: "fixed", to: { values: { a: "good" } } } },
  { name: "settings", configMap: { name: "settings", to: { values: { a: "good" } } } },
  { name: "flag", featureFlag: { configMap: { name: "flags", key: "a", value: "good" } } },
];

const signal = new AbortController().signal;

/** As in steps.test.ts: a death after each write leaves every state that a death between any two calls can leave. */
describe("the operator dies after each write of a request about ConfigMaps", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  }, 90_000);

  afterAll(async () => {
    await world?.stop();
  }, 60_000);

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["config-map", "feature-flag"] });
    const { client } = world;
    await createMap(
      client,
      namespace,
      "fixed",
      { data: { a: "bad" }, immutable: true },
      { labels: { b: "c" } },
    );
    await createMap(client, namespace, "settings", { data: { a: "bad" } });
    await createMap(client, namespace, "flags", { data: { a: "bad", b: "x" } });
    const envFrom = ["fixed", "flags"].map((name) => ({ configMapRef: { name } }));
    await shop.open("web", { template: container({ envFrom }) });
    await shop.ask("undo", undefined, { steps: STEPS, verification: { checks: [] } });
    return shop;
  }

  /** What is not as one undisturbed request leaves it. */
  async function outcome(shop: Shop) {
    const { namespace, executor } = shop;
    const [{ status, metadata }, web, audit, leases, maps, ...found] = await Promise.all([
      shop.request("undo"),
      shop.live("web"),
      readAudit(world.controlPlane.auditLogPath),
      world.client.list(leaseType, { namespace: SYSTEM, signal }),
      world.client.list(configMapType, { namespace, signal }),
      ...["fixed", "settings", "flags"].map((name) => getMap(world.client, namespace, name)),
    ]);
    const restartedAt = web.spec.template.metadata?.annotations?.["kubectl.kubernetes.io/restartedAt"];
    return {
      phase: status?.phase,
      progress: status?.progress,
      finalizers: metadata.finalizers ?? [],
      contents: found.map(membersOfMap),
      labels: found[0]?.metadata.labels,
      isRestartAsPlanned:
        restartedAt !== undefined && restartedAt === status?.plan?.steps[2]?.to?.restartedAt,
      // Records of ours that are left: of each content a snapshot, and of the replacement none.
      records: maps.items
        .map((map) => map.metadata.name.replace(/-[0-9a-f]{16,}$/, ""))
        .filter((name) => /-(snapshot|replacement)$/.test(name))
        .toSorted(),
      acts: audit
        .writes({ namespace, actor: executor })
        .map(({ verb, objectRef }) => `${verb} ${objectRef?.name}`)
        .filter((act) => !/-(snapshot|replacement)-/.test(act)),
      locks: leases.items.filter(({ spec }) => spec?.holderIdentity?.startsWith(`${namespace}/`) === true)
        .length,
    };
  }

  const UNDISTURBED = {
    phase: "Succeeded",
    progress: "3/3",
    finalizers: [],
    contents: [
      { data: { a: "good" }, immutable: true },
      { data: { a: "good" } },
      { data: { a: "good", b: "x" } },
    ],
    labels: { b: "c" },
    isRestartAsPlanned: true,
    records: ["fixed", "flags", "settings"].flatMap((name) => [`${name}-snapshot`, `${name}-snapshot`]),
    acts: ["delete fixed", "create fixed", "patch web", "patch settings", "patch flags", "patch web"],
    locks: 0,
  };

  it("same end, nothing done twice", async () => {
    await dieAfterEachWrite({
      world,
      prefix: "maps",
      open,
      drive: (client, namespace) => driveRequest(client, `${namespace}/undo`),
      outcome,
      undisturbed: UNDISTURBED,
      // Locks, ledgers, journal, snapshots and acts of three steps.
      moreThan: 25,
    });
  }, 300_000);
});
