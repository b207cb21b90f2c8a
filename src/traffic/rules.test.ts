import { describe, expect, it } from "@jest/globals";
import { httpRouteKind } from "./gateway-route.ts";
import type { Rule } from "./route-kind.ts";
import { shiftWeights } from "./shift-weights.ts";
import { virtualServiceKind } from "./virtual-service.ts";

const CANARY = { host: "api", subset: "canary" };
const STABLE = { host: "api", subset: "stable" };
const move = { canary: CANARY, stable: STABLE, namespace: "shop" };
const moved = (rule: Rule): Rule => virtualServiceKind.move(rule, move);
const to = (destination: object, rest: object = {}) => ({ destination, ...rest });

describe("a rule of a VirtualService", () => {
  it("gives the canary's weight to the stable entry, wherever both stand", () => {
    expect(moved({ route: [to(CANARY, { weight: 10 }), to(STABLE, { weight: 90 })] })).toEqual({
      route: [to(CANARY, { weight: 0 }), to(STABLE, { weight: 100 })],
    });
    expect(moved({ route: [to(STABLE), to(CANARY, { weight: 100 })] })).toEqual({
      route: [to(STABLE, { weight: 100 }), to(CANARY, { weight: 0 })],
    });
  });

  it("that names the canary only gets the stable destination in its place, with the port that the place needs", () => {
    const rule = { match: [{ headers: { "x-canary": { exact: "1" } } }] };
    const port = { number: 8080 };
    expect(moved({ ...rule, route: [to({ ...CANARY, port }, { weight: 0, headers: {} })] })).toEqual({
      ...rule,
      route: [to({ ...STABLE, port }, { weight: 0 })],
    });
  });

  it("that names a third destination beside the canary keeps that one's part", () => {
    const other = to({ host: "other" }, { weight: 30 });
    expect(moved({ route: [to(CANARY, { weight: 70 }), other] })).toEqual({
      route: [to(STABLE, { weight: 70 }), other],
    });
  });

  it("counts a host without a subset as the canary's too: its pods are among those behind it", () => {
    expect(moved({ route: [to({ host: "api.shop.svc.cluster.local" })] })).toEqual({
      route: [to(STABLE)],
    });
    const rule = { route: [to({ host: "api.other.svc.cluster.local" })] };
    expect(moved(rule)).toBe(rule);
  });

  it("mirrors nothing to the canary any more, and to others as before", () => {
    const route = [to(STABLE)];
    const mirrorPercentage = { value: 10 };
    expect(moved({ route, mirror: CANARY, mirrorPercentage })).toEqual({ route });
    expect(moved({ route, mirrors: [to(CANARY), to({ host: "other" })] })).toEqual({
      route,
      mirrors: [to({ host: "other" })],
    });
    const kept = { route, mirror: { host: "other" }, mirrorPercentage };
    expect(moved(kept)).toBe(kept);
  });

  it("gives everything to the stable destination where all weights are 0", () => {
    expect(moved({ route: [to(STABLE), to(CANARY)] })).toEqual({
      route: [to(STABLE, { weight: 100 }), to(CANARY, { weight: 0 })],
    });
  });
});

describe("a rule of the Gateway API", () => {
  const services = { canary: { host: "api-canary" }, stable: { host: "api" }, namespace: "shop" };
  const rewrite = (rule: Rule) => httpRouteKind.move(rule, services);

  it("has weights of 1 where none are written", () => {
    expect(
      rewrite({
        backendRefs: [
          { name: "api", port: 80 },
          { name: "api-canary", port: 80 },
        ],
      }),
    ).toEqual({
      backendRefs: [
        { name: "api", port: 80, weight: 2 },
        { name: "api-canary", port: 80, weight: 0 },
      ],
    });
  });

  it("leaves a canary alone that has weight 0: unlike in Istio it gets nothing", () => {
    const rule = { backendRefs: [{ name: "api-canary", port: 80, weight: 0 }] };
    expect(rewrite(rule)).toBe(rule);
  });

  it("sends to a Service of another namespace by naming it", () => {
    const stable = { host: "api.base.svc.cluster.local", port: 8080 };
    expect(
      httpRouteKind.move({ backendRefs: [{ name: "api-canary", port: 80 }] }, { ...services, stable }),
    ).toEqual({
      backendRefs: [{ group: "", kind: "Service", name: "api", namespace: "base", port: 8080, weight: 1 }],
    });
  });
});

describe("weights that grow beyond what the API allows", () => {
  it("are made smaller together", () => {
    expect(
      shiftWeights(
        [
          { role: "canary", weight: 1_000_000 },
          { role: "stable", weight: 1_000_000 },
          { role: "other", weight: 500_000 },
          { role: "other", weight: 0 },
        ],
        1_000_000,
      ).map(({ weight }) => weight),
    ).toEqual([0, 1_000_000, 250_000, 0]);
  });
});
