import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import type { ApplyContext, PlanContext } from "../../src/actions/action.ts";
import { canaryAction, type CanaryPlan } from "../../src/actions/canary/index.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { ROUTE_KINDS } from "../../src/traffic/route-kinds.ts";
import { addRoute, addServiceOf, editRoute, liveRoute, openStable, STABLE } from "../support/canaries.ts";
import { faultyClient } from "../support/faulty-client.ts";
import { inParallel } from "../support/in-parallel.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";
import { REFUSE_OWNED } from "../../src/gitops/rule.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const FORMER_RULES = "rollback.llm-research-lab.io/former-rules";

const signal = new AbortController().signal;

const split = (weight: number) => [
  { destination: { host: "canary" }, weight },
  { destination: { host: STABLE }, weight: 100 - weight },
];

/** The writes of one plan, one by one, with others at work between them. */
describe("between the writes of a canary step", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await installRouteCrds(world.kubectl);
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  interface Scene {
    readonly world: World;
    readonly shop: Shop;
    readonly executor: KubeClient;
    readonly plan: CanaryPlan;
    context(executor?: KubeClient): ApplyContext;
  }

  /** Two VirtualServices of one host that both send to the canary, and their plan. */
  async function open(namespace: string): Promise<Scene> {
    const shop = await openShop(world, namespace, { actions: ["canary"] });
    const place = { world, shop };
    await Promise.all([openStable(place), shop.open("canary"), addServiceOf(place, "canary")]);
    for (const name of ["one", "two"]) {
      await addRoute(place, "VirtualService", name, { hosts: ["web"], http: [{ route: split(10) }] });
    }
    const executor = world.client.as({ namespace, name: "rollback-executor" });
    const planContext: PlanContext = {
      executor,
      executorName: "rollback-executor",
      namespace,
      ledger: undefined,
      from: undefined,
      earlier: undefined,
      expectedPodTemplateHash: undefined,
      gitOps: REFUSE_OWNED,
      allowedImages: [],
      automatic: false,
      now: Date.now(),
      signal,
    };
    const spec = {
      virtualService: "one",
      canary: { host: "canary" },
      stable: { host: STABLE },
      drain: "0s",
      scaleDown: { kind: "Deployment" as const, name: "canary" },
    };
    const result = await canaryAction.plan("step", spec, planContext);
    if (result.kind !== "Planned") throw new Error(JSON.stringify(result));
    const context = (as = executor): ApplyContext => ({
      executor: as,
      namespace,
      signal,
      now: Date.now(),
      appliedAt: undefined,
      soak: { key: "", restored: [], signals: [] },
    });
    return { world, shop, executor, plan: result.plan, context };
  }

  const routeOf = async (scene: Scene, name: string) =>
    (await liveRoute(scene, "VirtualService", name)).spec["http"];

  async function done({ plan, context }: Scene, of = plan): Promise<void> {
    await until(
      "the plan is done",
      async () => {
        const seen = await canaryAction.observe(of, context());
        if (seen.kind === "InProgress" && seen.needsAdvance === true)
          await canaryAction.advance?.(of, context());
        return seen;
      },
      ({ kind }) => kind === "Done",
    );
  }

  async function anotherRouteIsEdited(): Promise<void> {
    const scene = await open("second-route");
    const { plan, context } = scene;
    expect(await canaryAction.apply(plan, context())).toMatchObject({ kind: "Applied" });
    expect(await canaryAction.observe(plan, context())).toMatchObject({ needsAdvance: true });
    await editRoute(scene, "VirtualService", "two", "/spec/http/0/route", split(70));

    expect(await canaryAction.observe(plan, context())).toEqual({
      kind: "Superseded",
      message:
        "VirtualService/two was changed by somebody else after the act; what this step changed stays: VirtualService/one",
    });
    await canaryAction.advance?.(plan, context());
    // A try again after a crash does not claim that nothing was changed.
    expect(await canaryAction.apply(plan, context())).toEqual({ kind: "Applied", alreadyThere: true });

    expect(await routeOf(scene, "one")).toEqual([{ route: split(0) }]);
    expect(await routeOf(scene, "two")).toEqual([{ route: split(70) }]);
    expect((await scene.shop.live("canary")).spec.replicas).toBe(2);
  }

  async function anotherRouteIsEditedOnTheWay(): Promise<void> {
    const scene = await open("on-the-way");
    const { plan, context, executor } = scene;
    await canaryAction.apply(plan, context());
    const { client } = faultyClient(executor, {
      async before(_, verb) {
        if (verb === "patch") {
          await editRoute(scene, "VirtualService", "two", "/spec/http/0/route", split(70));
        }
      },
    });

    expect(await canaryAction.advance?.(plan, context(client))).toEqual({
      message: "VirtualService/two was changed by somebody else",
    });
    expect(await routeOf(scene, "two")).toEqual([{ route: split(70) }]);
  }

  /** A route without annotations gets its first one from somebody else while ours is on its way. */
  async function annotationsOfOthersStay(): Promise<void> {
    const scene = await open("annotated");
    const { plan, context, executor, shop } = scene;
    const key = { namespace: shop.namespace, name: "one" };
    let isFirst = true;
    const { client } = faultyClient(executor, {
      async before(_, verb) {
        if (verb !== "patch" || !isFirst) return;
        isFirst = false;
        const patch = mergePatch({ metadata: { annotations: { team: "core" } } });
        await world.client.patch(ROUTE_KINDS.VirtualService.type, key, patch, { signal });
      },
    });

    expect(await canaryAction.apply(plan, context(client))).toEqual({ kind: "Applied", alreadyThere: false });

    const { annotations } = (await liveRoute(scene, "VirtualService", "one")).metadata;
    expect(annotations).toEqual({ team: "core", [FORMER_RULES]: expect.any(String) });
  }

  async function forgedRecordIsNotBelieved(): Promise<void> {
    const scene = await open("forged");
    const { plan, context, shop } = scene;
    await canaryAction.apply(plan, context());
    await done(scene);
    const at = new Date().toISOString();
    const rule = { route: [{ destination: { host: "evil.example.org" } }] };
    const text = JSON.stringify({ at, rules: [{ list: "http", index: 0, rule }] });
    await world.kubectl([
      "annotate",
      "--overwrite",
      "virtualservice/one",
      `${FORMER_RULES}=${text}`,
      "-n",
      shop.namespace,
    ]);
    const back = canaryAction.reverse(plan, plan.to);

    expect(await canaryAction.apply(back, context())).toMatchObject({
      kind: "Superseded",
      message: expect.stringContaining("VirtualService/one is to have are not recorded on it any more"),
    });
    expect(await routeOf(scene, "one")).toEqual([{ route: split(0) }]);
    expect((await shop.live("canary")).spec.replicas).toBe(0);
  }

  /** The way back sends requests only when somebody is there to answer them. */
  async function podsComeBackFirst(): Promise<void> {
    const scene = await open("back");
    const { plan, context, shop } = scene;
    await canaryAction.apply(plan, context());
    await done(scene);
    const back = canaryAction.reverse(plan, plan.to);

    expect(await canaryAction.apply(back, context())).toEqual({ kind: "Applied", alreadyThere: false });

    expect((await shop.live("canary")).spec.replicas).toBe(2);
    expect(await routeOf(scene, "one")).toEqual([{ route: split(0) }]);
    await done(scene, back);
    expect((await shop.live("canary")).status?.readyReplicas).toBe(2);
    for (const name of ["one", "two"]) {
      const { spec, metadata } = await liveRoute(scene, "VirtualService", name);
      expect(spec["http"]).toEqual([{ route: split(10) }]);
      expect(metadata.annotations?.[FORMER_RULES]).toBeUndefined();
    }
  }

  inParallel(
    {
      "an edit of another route is not written over": anotherRouteIsEdited,
      "an edit of another route wins also while our write is on its way": anotherRouteIsEditedOnTheWay,
      "annotations of others stay": annotationsOfOthersStay,
      "a forged record of the former rules is not believed": forgedRecordIsNotBelieved,
      "the way back brings the pods before the requests": podsComeBackFirst,
    },
    TEST_MS,
  );
});
