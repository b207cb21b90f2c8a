import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { readAudit } from "../cluster/audit.ts";
import { addRoute, addServiceOf, liveRoute, openStable, STABLE } from "../support/canaries.ts";
import { createMap, getMap, inEnv } from "../support/config-maps.ts";
import { inParallel } from "../support/in-parallel.ts";
import { installOwnerCrds } from "../support/owner-crds.ts";
import { refuseScaling } from "../support/refuse-scaling.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { imageOf, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 120_000;

/** Configuration before the code that reads it, traffic before its pods go, code last. */
const LAYERS = [
  { name: "settings", configMap: { name: "settings", to: { values: { limit: "10" } } } },
  {
    name: "traffic",
    canary: {
      virtualService: "web",
      canary: { host: "canary" },
      stable: { host: STABLE },
      drain: "1s",
      scaleDown: { kind: "Deployment", name: "canary" },
    },
  },
  { name: "app", workload: { kind: "Deployment", name: "web", to: { strategy: "Previous" } } },
];

/** Planned like any other, and refused when it acts. */
const REFUSED = { name: "more", scale: { kind: "Deployment", name: "refused", replicas: 3 } };

const split = (canary: number) => [
  { destination: { host: "canary" }, weight: canary },
  { destination: { host: STABLE }, weight: 100 - canary },
];

describe("one request for configuration, traffic and code", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await Promise.all([
      installRouteCrds(world.kubectl),
      installOwnerCrds(world.kubectl),
      refuseScaling(world),
    ]);
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** A bad release of `web` with a setting that nobody wanted, and a canary with a tenth of the requests. */
  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, {
      actions: ["workload", "scale", "config-map", "canary"],
    });
    const place = { world, shop };
    await createMap(world.client, namespace, "settings", { data: { limit: "10000", theme: "dark" } });
    await Promise.all([
      openStable(place),
      addServiceOf(place, "canary"),
      ...["canary", "refused"].map((name) => shop.open(name)),
      shop.open("web", { template: inEnv("settings") }).then(() => shop.release("web:v2", "web")),
    ]);
    await addRoute(place, "VirtualService", "web", { hosts: ["web"], http: [{ route: split(10) }] });
    return shop;
  }

  const ask = (shop: Shop, steps: readonly PartialSpec[], spec: PartialSpec = {}) =>
    shop.ask("undo", undefined, { steps, verification: { checks: [] }, ...spec });

  async function live(shop: Shop) {
    const [{ data }, { spec }, web, canary] = await Promise.all([
      getMap(world.client, shop.namespace, "settings"),
      liveRoute({ world, shop }, "VirtualService", "web"),
      shop.live("web"),
      shop.live("canary"),
    ]);
    return { data, http: spec["http"], image: imageOf(web), canaryPods: canary.spec.replicas };
  }

  /** What the executor wrote, in order, but for what it keeps of ConfigMaps. */
  async function writes({ namespace, executor }: Shop): Promise<readonly string[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit
      .writes({ namespace, actor: executor })
      .map(({ objectRef }) => [objectRef?.name, objectRef?.subresource].filter(Boolean).join("/"))
      .filter((name) => !name.includes("-snapshot-"));
  }

  async function allBack(): Promise<void> {
    const shop = await open("layers");

    await ask(shop, LAYERS);
    const ended = await shop.ended("undo");

    expect([ended.status?.phase, ended.status?.progress]).toEqual(["Succeeded", "3/3"]);
    expect(await live(shop)).toEqual({
      data: { limit: "10", theme: "dark" },
      http: [{ route: split(0) }],
      image: "web:v1",
      canaryPods: 0,
    });
    // `web` is not restarted for its setting: the rollback of its code replaces its pods anyway.
    expect(await writes(shop)).toEqual(["settings", "web", "canary/scale", "web"]);
  }

  async function allUndone(): Promise<void> {
    const shop = await open("undone");
    const before = await live(shop);

    await ask(shop, [...LAYERS, REFUSED], { onFailure: "Compensate" });
    const ended = await shop.ended("undo");

    expect([ended.status?.phase, ended.status?.progress]).toEqual(["Compensated", "3/3 undone"]);
    expect(readyOf(ended).message).toContain("undone: steps app, traffic, settings");
    expect(await live(shop)).toEqual(before);
  }

  async function refusedAsAWhole(): Promise<void> {
    const shop = await open("refused");
    const before = await live(shop);
    const app = { kind: "Deployment", name: "web", to: { revision: 7 } };

    await ask(shop, [...LAYERS.slice(0, 2), { name: "app", workload: app }]);
    const ended = await shop.ended("undo");

    expect(readyOf(ended)).toMatchObject({
      reason: "RevisionNotFound",
      message: expect.stringContaining("nothing was changed"),
    });
    expect(await live(shop)).toEqual(before);
    expect(await writes(shop)).toEqual([]);
  }

  /** The canary's own code, then its traffic: the step that takes the pods away comes too late. */
  async function advised(): Promise<void> {
    const shop = await open("advised");
    await shop.release("web:v3", "canary");
    const traffic = LAYERS.filter(({ name }) => name === "traffic");
    const code = { kind: "Deployment", name: "canary", to: { strategy: "Previous" } };

    await ask(shop, [{ name: "code", workload: code }, ...traffic], { dryRun: true });
    const ended = await shop.ended("undo");

    expect(readyOf(ended)).toMatchObject({ reason: "DryRun" });
    expect(ended.status?.plan?.steps.flatMap(({ warnings }) => warnings)).toContainEqual(
      "order: put step traffic before step code: step code replaces the pods of Deployment/canary, which are taken away after that",
    );
  }

  inParallel(
    {
      "takes all of them back, in the order as written": allBack,
      "says in the plan that another order is better": advised,
      "has all of them undone when a later step fails": allUndone,
      "changes none of them when the last one cannot be planned": refusedAsAWhole,
    },
    TEST_MS,
  );
});
