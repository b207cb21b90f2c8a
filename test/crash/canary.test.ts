import { afterAll, beforeAll, describe, it } from "@jest/globals";
import { leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { addRoute, addServiceOf, liveRoute, openStable, STABLE } from "../support/canaries.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import { dieAfterEachWrite, driveRequest, SYSTEM } from "../support/mortal-operator.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const signal = new AbortController().signal;

const STEP = {
  name: "traffic",
  canary: {
    virtualService: "web",
    canary: { host: "canary" },
    stable: { host: STABLE },
    drain: "1s",
    scaleDown: { kind: "Deployment", name: "canary" },
  },
};

const rulesFor = (weight: number) => [
  { match: [{ headers: { "x-canary": { exact: "1" } } }], route: [{ destination: { host: "canary" } }] },
  {
    route: [
      { destination: { host: "canary" }, weight },
      { destination: { host: STABLE }, weight: 100 - weight },
    ],
  },
];

/** Reads leave the world as it is, so a death after each write leaves every state that one between two calls can. */
describe("the operator dies after each write of a canary's way out", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await Promise.all([installRouteCrds(world.kubectl), installOwnerCrds(world.kubectl)]);
  }, 90_000);

  afterAll(async () => {
    await world?.stop();
  }, 60_000);

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["canary"] });
    const place = { world, shop };
    const scaledObject = JSON.stringify({
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: { name: "canary", namespace },
      spec: { scaleTargetRef: { name: "canary" } },
    });
    await Promise.all([
      openStable(place),
      shop.open("canary"),
      addServiceOf(place, "canary"),
      addRoute(place, "VirtualService", "web", { hosts: ["web"], http: rulesFor(10) }),
      addRoute(place, "VirtualService", "web-tls", { hosts: ["web"], http: rulesFor(20) }),
      world.kubectl(["apply", "-f", "-"], scaledObject),
    ]);
    await shop.ask("out", undefined, { steps: [STEP], verification: { checks: [] } });
    return shop;
  }

  /** What is not as one undisturbed request leaves it. */
  async function outcome(shop: Shop) {
    const { namespace, executor } = shop;
    const place = { world, shop };
    const [request, one, two, canary, scaledObject, audit, leases] = await Promise.all([
      shop.request("out"),
      liveRoute(place, "VirtualService", "web"),
      liveRoute(place, "VirtualService", "web-tls"),
      shop.live("canary"),
      world.kubectl(["get", "scaledobject/canary", "-n", namespace, "-o", "json"]),
      readAudit(world.controlPlane.auditLogPath),
      world.client.list(leaseType, { namespace: SYSTEM, signal }),
    ]);
    return {
      phase: request.status?.phase,
      states: request.status?.steps?.map(({ state }) => state),
      finalizers: request.metadata.finalizers ?? [],
      routes: [one, two].map(({ spec }) => spec["http"]),
      replicas: canary.spec.replicas,
      paused: (
        JSON.parse(scaledObject) as { readonly metadata: { readonly annotations?: Record<string, string> } }
      ).metadata.annotations?.["autoscaling.keda.sh/paused-replicas"],
      acts: audit
        .writes({ namespace, actor: executor })
        .map(({ objectRef }) =>
          [objectRef?.resource, objectRef?.name, objectRef?.subresource].filter(Boolean).join("/"),
        ),
      locks: leases.items.filter(({ spec }) => spec?.holderIdentity?.startsWith(`${namespace}/`) === true)
        .length,
    };
  }

  const OUT = [
    { match: [{ headers: { "x-canary": { exact: "1" } } }], route: [{ destination: { host: STABLE } }] },
    {
      route: [
        { destination: { host: "canary" }, weight: 0 },
        { destination: { host: STABLE }, weight: 100 },
      ],
    },
  ];
  const UNDISTURBED = {
    phase: "Succeeded",
    states: ["Succeeded"],
    finalizers: [],
    routes: [OUT, OUT],
    replicas: 0,
    paused: "0",
    acts: [
      "virtualservices/web",
      "virtualservices/web-tls",
      "scaledobjects/canary",
      "deployments/canary/scale",
    ],
    locks: 0,
  };

  it("same end, nothing done twice", async () => {
    await dieAfterEachWrite({
      world,
      prefix: "canary",
      open,
      drive: (client, namespace) => driveRequest(client, `${namespace}/out`),
      outcome,
      undisturbed: UNDISTURBED,
      // Locks, ledgers, journal and four acts.
      moreThan: 12,
    });
  }, 300_000);
});
