import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Destination } from "./destination.ts";
import { httpRouteKind } from "./gateway-route.ts";
import { movedRules, ruleLists, withRules } from "./rewrite.ts";
import type { RouteKind, RouteObject } from "./route-kind.ts";
import { gatewayAnswer } from "./testing/gateway-evaluator.ts";
import { gatewayRequest, httpRoutes, meshRequest, virtualServices } from "./testing/generators.ts";
import { meet, NAMESPACE, podsBehind, type Answer, type Outcome, type Target } from "./testing/mesh.ts";
import { answersOf } from "./testing/virtual-service-evaluator.ts";
import { virtualServiceKind } from "./virtual-service.ts";

/** Every way to tell a canary from the stable version: by subset, by Service, by port. */
const MESH_PAIRS: readonly (readonly [Destination, Destination])[] = [
  [
    { host: "api", subset: "canary" },
    { host: "api", subset: "stable" },
  ],
  [{ host: "api-canary.shop.svc.cluster.local" }, { host: "api", subset: "stable" }],
  [{ host: "api-canary" }, { host: "api-stable", port: 80 }],
  [{ host: "api", subset: "canary" }, { host: "api-stable.shop.svc.cluster.local" }],
  [
    { host: "api-canary", port: 9090 },
    { host: "api-canary", port: 80 },
  ],
];
const GATEWAY_PAIRS = MESH_PAIRS.filter((pair) => pair.every(({ subset }) => subset === undefined));

function rewritten<T extends { readonly spec: object }>(
  kind: RouteKind,
  object: T,
  canary: Destination,
  stable: Destination,
): T {
  const lists = ruleLists(kind, object as unknown as RouteObject);
  const rules = movedRules(kind, lists, { canary, stable, namespace: NAMESPACE });
  return { ...object, spec: { ...object.spec, ...withRules(lists, rules) } };
}

function targetOf({ host, subset, port }: Destination): Target {
  return {
    fqdn: host.includes(".") ? host : `${host}.${NAMESPACE}.svc.cluster.local`,
    ...(subset === undefined ? {} : { subset }),
    ...(port === undefined ? {} : { port }),
  };
}

/** How much of the requests may meet pods of the place. */
function partTo(place: Destination, { parts }: Outcome): number {
  const pods = podsBehind(targetOf(place));
  return [...parts]
    .filter(([target]) => meet(podsBehind(JSON.parse(target) as Target), pods))
    .reduce((sum, [, part]) => sum + part, 0);
}

function isOutcome(answer: Answer): answer is Outcome {
  return typeof answer === "object";
}

function expectMoved(before: Answer, after: Answer, canary: Destination, stable: Destination): void {
  if (!isOutcome(after)) {
    expect(before).toEqual(after);
    return;
  }
  const pods = podsBehind(targetOf(canary));
  expect(partTo(canary, after)).toBe(0);
  expect(after.mirrors.filter((to) => meet(podsBehind(JSON.parse(to) as Target), pods))).toEqual([]);
  if (!isOutcome(before)) {
    // Weights that were all 0 are the only thing that is mended.
    expect(before).toBe("Refused");
    expect(partTo(stable, after)).toBe(1);
    return;
  }
  const moved = partTo(canary, before);
  for (const [target, part] of before.parts) {
    const behind = podsBehind(JSON.parse(target) as Target);
    if (meet(behind, pods) || meet(behind, podsBehind(targetOf(stable)))) continue;
    expect(after.parts.get(target)).toBeCloseTo(part, 3);
  }
  // What the canary had goes to the stable version, and nothing else does.
  const own = [...before.parts].filter(
    ([target]) =>
      !meet(podsBehind(JSON.parse(target) as Target), pods) &&
      meet(podsBehind(JSON.parse(target) as Target), podsBehind(targetOf(stable))),
  );
  const had = own.reduce((sum, [, part]) => sum + part, 0);
  expect(partTo(stable, after)).toBeCloseTo(had + moved, 3);
}

describe("a rewritten route", () => {
  it.each(MESH_PAIRS)("of Istio sends no request to %j, but its part to %j", (canary, stable) => {
    fc.assert(
      fc.property(
        virtualServices,
        fc.array(meshRequest, { minLength: 1, maxLength: 8 }),
        (objects, requests) => {
          const moved = objects.map((object) => rewritten(virtualServiceKind, object, canary, stable));
          for (const request of requests) {
            const [before, after] = [answersOf(objects, request), answersOf(moved, request)];
            expect(after.map(({ from }) => from)).toEqual(before.map(({ from }) => from));
            for (const [index, { answer }] of before.entries()) {
              expectMoved(answer, after[index]?.answer ?? "NoRoute", canary, stable);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each(GATEWAY_PAIRS)(
    "of the Gateway API sends no request to %j, but its part to %j",
    (canary, stable) => {
      fc.assert(
        fc.property(
          httpRoutes,
          fc.array(gatewayRequest, { minLength: 1, maxLength: 8 }),
          (objects, requests) => {
            const moved = objects.map((object) => rewritten(httpRouteKind, object, canary, stable));
            for (const request of requests) {
              expectMoved(gatewayAnswer(objects, request), gatewayAnswer(moved, request), canary, stable);
            }
          },
        ),
        { numRuns: 400 },
      );
    },
  );

  it("needs no second change, and keeps every rule that the canary had no part in", () => {
    fc.assert(
      fc.property(virtualServices, fc.constantFrom(...MESH_PAIRS), ([object], [canary, stable]) => {
        const lists = ruleLists(virtualServiceKind, object);
        const move = { canary, stable, namespace: NAMESPACE };
        const rules = movedRules(virtualServiceKind, lists, move);
        const after = withRules(lists, rules);

        expect(movedRules(virtualServiceKind, after, move)).toEqual([]);
        for (const [list, before] of Object.entries(lists)) {
          expect(after[list]).toHaveLength(before.length);
          for (const [index, rule] of before.entries()) {
            const isMoved = rules.some((each) => each.list === list && each.index === index);
            if (!isMoved) expect(after[list]?.[index]).toBe(rule);
            else expect(after[list]?.[index]?.["match"]).toEqual(rule["match"]);
          }
        }
      }),
    );
  });
});
