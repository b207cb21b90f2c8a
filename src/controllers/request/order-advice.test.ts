import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import { orderAdvice } from "./order-advice.ts";

const WORKLOADS = ["Deployment/web", "Deployment/canary", "Deployment/blue", "Deployment/green"] as const;
type Title = (typeof WORKLOADS)[number];

function planned(name: string, action: string, object: string, more: Partial<PlannedStep> = {}): PlannedStep {
  return { name, digest: name, action, object, changes: [], warnings: [], ...more };
}

const workload = (object: Title = "Deployment/web") => planned("app", "workload", object);
const restart = (object: Title = "Deployment/web") => planned("restart", "restart", object);
const flag = (restarts?: Title[]) =>
  planned("flag", "featureFlag", "ConfigMap/flags", { ...(restarts && { restarts }) });
const config = (restarts?: Title[]) =>
  planned("config", "configMap", "ConfigMap/settings", { ...(restarts && { restarts }) });
const canary = (object: Title | undefined = "Deployment/canary", drain = "30s") =>
  planned("traffic", "canary", "HTTPRoute/web", {
    canary: { drain, ...(object && { workload: { object, uid: "uid" } }) },
  });
const unscaledCanary = (drain: string) =>
  planned("traffic", "canary", "HTTPRoute/web", { canary: { drain } });
const blueGreen = (from: Title = "Deployment/blue", to: Title = "Deployment/green") =>
  planned("color", "blueGreen", "Service/web", {
    from: { workload: from },
    to: { workload: to, images: [] },
  });
const scale = planned("pods", "scale", "Deployment/web");
const check = planned("gate", "check", "Checks/errors");

const putBefore = (first: string, then: string) => [
  expect.stringMatching(new RegExp(`^order: put step ${first} before step ${then}: `)),
];

describe("advice on the order of steps", () => {
  it.each([
    ["a flag after the code", [workload(), flag()], ["flag", "app"]],
    ["a flag after a restart", [restart(), flag()], ["flag", "restart"]],
    ["a flag after a canary that is drained", [unscaledCanary("30s"), flag()], ["flag", "traffic"]],
    ["a flag after a canary whose pods go", [canary("Deployment/canary", "0s"), flag()], ["flag", "traffic"]],
    ["a flag after another colour", [blueGreen(), flag()], ["flag", "color"]],
    ["a flag after restarts for a ConfigMap", [config(["Deployment/web"]), flag()], ["flag", "config"]],
    [
      "a canary after the code of its own pods",
      [workload("Deployment/canary"), canary()],
      ["traffic", "app"],
    ],
    [
      "a canary after a restart of its own pods",
      [restart("Deployment/canary"), canary()],
      ["traffic", "restart"],
    ],
    [
      "a canary after a ConfigMap that restarts its pods",
      [config(["Deployment/canary"]), canary()],
      ["traffic", "config"],
    ],
    [
      "a canary after a flag that restarts its pods",
      [flag(["Deployment/canary"]), canary()],
      ["traffic", "flag"],
    ],
    [
      "another colour after the code of the live one",
      [workload("Deployment/blue"), blueGreen()],
      ["color", "app"],
    ],
    [
      "the code of a colour after it got the traffic",
      [blueGreen(), workload("Deployment/green")],
      ["app", "color"],
    ],
    [
      "the configuration of a colour after it got the traffic",
      [blueGreen(), config(["Deployment/green"])],
      ["config", "color"],
    ],
  ] as const)("is given for %s", (_, steps, [first, then]) => {
    expect(orderAdvice(steps)).toEqual(putBefore(first, then));
  });

  it.each([
    ["flag, ConfigMap, canary, code", [flag(), config(), canary(), workload()]],
    ["ConfigMap, canary, code", [config(["Deployment/web"]), canary(), workload("Deployment/blue")]],
    ["canary, ConfigMap, code", [canary(), config(), workload()]],
    ["a canary, then the code of its own pods", [canary(), workload("Deployment/canary")]],
    // Which of both versions is the worse one, nobody knows here.
    ["code of the stable pods, then the canary", [workload(), canary()]],
    ["code, then the ConfigMap of somebody else", [workload(), config()]],
    ["the code of a colour, then its traffic", [workload("Deployment/green"), blueGreen()]],
    ["a colour's traffic, then the code of the one left", [blueGreen(), workload("Deployment/blue")]],
    ["a colour's traffic, then a restart of its pods", [blueGreen(), restart("Deployment/green")]],
    ["pods stopped before their flag is set", [scale, flag()]],
    ["a flag that restarts its readers, after the code of others", [workload(), flag(["Deployment/blue"])]],
    ["a flag after a ConfigMap that restarts nobody", [config(), flag()]],
    ["a flag after a canary without drain and pods", [unscaledCanary("0s"), flag()]],
    ["a flag behind a check", [workload(), check, flag()]],
  ])("is not given for %s", (_, steps) => {
    expect(orderAdvice(steps)).toEqual([]);
  });

  it("names the earliest of the steps that belong after it", () => {
    expect(orderAdvice([canary(), workload(), flag()])).toEqual(putBefore("flag", "traffic"));
  });

  it("says what is lost in words of its own, without a value", () => {
    expect(orderAdvice([workload(), flag()])).toEqual([
      "order: put step flag before step app: a feature flag is set at once, and waits there until Deployment/web is done; unless it needs what step app brings",
    ]);
  });

  const titles = fc.uniqueArray(fc.constantFrom(...WORKLOADS), { maxLength: 2 });
  const anyStep: fc.Arbitrary<PlannedStep> = fc.oneof(
    fc.constantFrom(...WORKLOADS).map(workload),
    fc.constantFrom(...WORKLOADS).map(restart),
    titles.map(flag),
    titles.map(config),
    fc.constantFrom("Deployment/canary" as const, undefined).map((object) => canary(object)),
    fc.constant(blueGreen()),
    fc.constant(scale),
    fc.constant(check),
  );
  const plans = fc.array(fc.tuple(anyStep, fc.boolean()), { maxLength: 7 }).map((all) =>
    all.map(([step, isIdle], index): PlannedStep => ({
      ...step,
      name: `s${index}`,
      ...(isIdle ? { nothingToDo: "it is there already" } : {}),
    })),
  );
  const namesIn = (advice: string) =>
    /^order: put step (s\d) before step (s\d): /
      .exec(advice)
      ?.slice(1)
      .map((name) => Number(name[1])) ?? [];

  it("moves a step forward only, never across a check, and leaves idle ones alone", () => {
    fc.assert(
      fc.property(plans, (steps) => {
        for (const advice of orderAdvice(steps)) {
          const [first = -1, then = -1] = namesIn(advice);
          expect(then).toBeGreaterThanOrEqual(0);
          expect(first).toBeGreaterThan(then);
          const between = steps.slice(then, first + 1);
          expect(between.map(({ action }) => action)).not.toContain("check");
          expect([between.at(0), between.at(-1)].every((step) => step?.nothingToDo === undefined)).toBe(true);
        }
      }),
    );
  });

  it("is the same without the steps that have nothing to do", () => {
    fc.assert(
      fc.property(plans, (steps) => {
        const busy = steps.filter(
          ({ nothingToDo, action }) => nothingToDo === undefined || action === "check",
        );
        expect(orderAdvice(busy)).toEqual(orderAdvice(steps));
      }),
    );
  });

  it("can always be followed: whoever does so step by step ends with an order without advice", () => {
    fc.assert(
      fc.property(plans, (steps) => {
        let order = steps;
        for (let moves = 0; orderAdvice(order).length > 0; moves++) {
          expect(moves).toBeLessThan(50);
          const [moved, before] = namesIn(orderAdvice(order)[0] ?? "").map((number) => `s${number}`);
          const step = order.find(({ name }) => name === moved);
          if (step === undefined) throw new Error(`no step ${moved}`);
          const rest = order.filter((each) => each !== step);
          order = rest.toSpliced(
            rest.findIndex(({ name }) => name === before),
            0,
            step,
          );
        }
      }),
    );
  });
});
