import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { ApplyContext, PlanContext } from "../../src/actions/action.ts";
import { canaryAction, type CanaryPlan, type CanarySpec } from "../../src/actions/canary/index.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { isInvalid } from "../../src/kube/errors.ts";
import { ROUTE_KINDS, type RouteKindName } from "../../src/traffic/route-kinds.ts";
import type { RouteObject } from "../../src/traffic/route-kind.ts";
import { gatewayAnswer, type HttpRouteObject } from "../../src/traffic/testing/gateway-evaluator.ts";
import {
  gatewayRequest,
  httpRoutes,
  meshRequest,
  virtualServices,
} from "../../src/traffic/testing/generators.ts";
import { meet, NAMESPACE, podsBehind, type Answer, type Target } from "../../src/traffic/testing/mesh.ts";
import { answersOf, type VirtualServiceObject } from "../../src/traffic/testing/virtual-service-evaluator.ts";
import { addRoute, addServiceOf } from "../support/canaries.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";
import { REFUSE_OWNED } from "../../src/gitops/rule.ts";

/** Sets of routes of each kind; how many of them the real kinds must take for the test to say anything. */
const SETS = 40;
const AT_LEAST = 15;
const REQUESTS = 60;

const signal = new AbortController().signal;

/** Routes that a generator made, stored by the real API server, moved by the real action, judged by the evaluators. */
describe("generated routes", () => {
  let world: World;
  let shop: Shop;
  let executor: KubeClient;

  beforeAll(async () => {
    world = await startWorld();
    await installRouteCrds(world.kubectl);
    shop = await openShop(world, NAMESPACE, { actions: ["canary"] });
    executor = world.client.as({ namespace: NAMESPACE, name: "rollback-executor" });
    const place = { world, shop };
    await Promise.all([
      shop.open("api-stable"),
      ...["api-stable", "api-canary"].map((name) => addServiceOf(place, name)),
    ]);
    await world.kubectl([
      "patch",
      "service/api-stable",
      "-n",
      NAMESPACE,
      "-p",
      JSON.stringify({
        spec: {
          ports: [
            { name: "http", port: 80 },
            { name: "more", port: 9090 },
          ],
        },
      }),
    ]);
  }, 90_000);

  afterAll(async () => {
    await world?.stop();
  }, 60_000);

  const planContext = (): PlanContext => ({
    executor,
    executorName: "rollback-executor",
    namespace: NAMESPACE,
    ledger: undefined,
    from: undefined,
    earlier: undefined,
    expectedPodTemplateHash: undefined,
    gitOps: REFUSE_OWNED,
    allowedImages: [],
    automatic: false,
    now: Date.now(),
    signal,
  });
  const applyContext = (): ApplyContext => ({
    executor,
    namespace: NAMESPACE,
    signal,
    now: Date.now(),
    appliedAt: undefined,
    soak: { key: "", restored: [], signals: [] },
  });

  async function carryOut(plan: CanaryPlan): Promise<void> {
    expect(await canaryAction.apply(plan, applyContext())).toMatchObject({ kind: "Applied" });
    for (;;) {
      const seen = await canaryAction.observe(plan, applyContext());
      if (seen.kind === "Done") return;
      expect(seen).toMatchObject({ kind: "InProgress", needsAdvance: true });
      await canaryAction.advance?.(plan, applyContext());
    }
  }

  /** The routes as they are stored; undefined where the kind does not take one of them. */
  async function store(kind: RouteKindName, objects: readonly Pick<RouteObject, "metadata" | "spec">[]) {
    try {
      for (const { metadata, spec } of objects) await addRoute({ world, shop }, kind, metadata.name, spec);
    } catch (error) {
      if (isInvalid(error)) return undefined;
      throw error;
    }
    return live(kind);
  }

  async function live(kind: RouteKindName): Promise<readonly RouteObject[]> {
    return (await world.client.list(ROUTE_KINDS[kind].type, { namespace: NAMESPACE, signal })).items;
  }

  async function clear(kind: RouteKindName): Promise<void> {
    for (const { metadata } of await live(kind)) {
      await world.client.delete(
        ROUTE_KINDS[kind].type,
        { namespace: NAMESPACE, name: metadata.name },
        { signal },
      );
    }
  }

  /** How many sets were moved, each judged by `judge`, and put back to what it was. */
  async function tryAll(
    kind: RouteKindName,
    sets: readonly (readonly Pick<RouteObject, "metadata" | "spec">[])[],
    spec: CanarySpec,
    judge: (objects: readonly RouteObject[]) => void,
  ): Promise<number> {
    let moved = 0;
    for (const objects of sets) {
      const before = await store(kind, objects);
      const result = before && (await canaryAction.plan("step", spec, planContext()));
      if (result?.kind === "Planned") {
        await carryOut(result.plan);
        judge(await live(kind));
        await carryOut(canaryAction.reverse(result.plan, result.plan.to));
        expect((await live(kind)).map((object) => object.spec)).toEqual(before?.map((object) => object.spec));
        moved += 1;
      } else if (result !== undefined && result.kind !== "NothingToDo") {
        // The only thing that a generated set may lack.
        expect(result).toMatchObject({ reason: "NoStableDestination" });
      }
      await clear(kind);
    }
    return moved;
  }

  const canary = podsBehind({ fqdn: `api-canary.${NAMESPACE}.svc.cluster.local` });
  function reachesCanary(answer: Answer): boolean {
    if (typeof answer !== "object") return false;
    return [...answer.parts.keys(), ...answer.mirrors].some((target) =>
      meet(podsBehind(JSON.parse(target) as Target), canary),
    );
  }

  const step = { canary: { host: "api-canary" }, stable: { host: "api-stable" }, drain: "0s" };

  it("of Istio send nothing to the canary, and are as before after the way back", async () => {
    const requests = fc.sample(meshRequest, REQUESTS);
    const moved = await tryAll(
      "VirtualService",
      fc.sample(virtualServices, SETS) as unknown as RouteObject[][],
      { ...step, virtualService: "api" },
      (objects) => {
        for (const request of requests) {
          const answers = answersOf(objects as unknown as VirtualServiceObject[], request);
          expect(answers.filter(({ answer }) => reachesCanary(answer))).toEqual([]);
        }
      },
    );
    expect(moved).toBeGreaterThanOrEqual(AT_LEAST);
  }, 120_000);

  it("of the Gateway API send nothing to the canary, and are as before after the way back", async () => {
    const requests = fc.sample(gatewayRequest, REQUESTS);
    const sets = fc.sample(httpRoutes, SETS).map((routes) =>
      routes.map((route, index) => ({
        ...route,
        metadata: { ...route.metadata, name: index === 0 ? "api" : `api-${index}` },
      })),
    );
    const moved = await tryAll(
      "HTTPRoute",
      sets as unknown as RouteObject[][],
      { ...step, httpRoute: "api" },
      (objects) => {
        for (const request of requests) {
          const answer = gatewayAnswer(objects as unknown as HttpRouteObject[], request);
          expect(reachesCanary(answer) ? { request, answer } : undefined).toBeUndefined();
        }
      },
    );
    expect(moved).toBeGreaterThanOrEqual(AT_LEAST);
  }, 120_000);
});
