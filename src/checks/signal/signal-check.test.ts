import { describe, expect, it } from "@jest/globals";
import type { PolicySignal } from "../../crds/rollback-policy.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Reading, Sample } from "../../decision/sample.ts";
import type { CheckContext } from "../check.ts";
import { signalCheck } from "./index.ts";

const errors: PolicySignal = {
  name: "errors",
  prometheus: {
    server: "default",
    minimumRequests: 50,
    ratio: { bad: "bad_total", total: "all_total", window: "30s" },
  },
};

const context = {
  executor: {} as KubeClient,
  namespace: "shop",
  restored: [],
  signals: [errors],
  now: 1_000,
  signal: new AbortController().signal,
} satisfies CheckContext;

function check(sample: Reading) {
  return signalCheck({ sample: async () => sample, lookbackMs: () => 30_000 });
}

describe("signal check", () => {
  it.each([
    [{ name: "errors", below: "0.10" }, 0.1, "Pass", "10% <= 10%"],
    [{ name: "errors", below: "0.10" }, 0.11, "Fail", "11% > 10%"],
    [{ name: "errors", above: "0.10" }, 0.2, "Pass", "20% >= 10%"],
    [{ name: "errors", above: "0.10" }, 0.05, "Fail", "5% < 10%"],
  ] as const)("%j at %d is %s", async (spec, value, outcome, text) => {
    expect(await check({ kind: "Value", value }).sample(spec, context)).toEqual({ outcome, value: text });
  });

  it.each([
    ["no value", { kind: "NoData", detail: "nothing" }, { name: "errors", below: "1" }],
    ["no bound", { kind: "Value", value: 1 }, { name: "errors" }],
    ["no such signal", { kind: "Value", value: 1 }, { name: "other", below: "2" }],
  ] as const)("is no verdict with %s", async (_, sample, spec) => {
    expect((await check(sample).sample(spec, context)).outcome).toBe("NoVerdict");
  });

  const value = (share: number): Sample => ({ kind: "Value", value: share });
  const thin: Sample = { kind: "InsufficientTraffic", detail: "few" };
  const none: Sample = { kind: "NoData", detail: "nothing" };
  it.each<[string, Readonly<Record<string, Sample>>, string, string]>([
    ["the worst of several", { a: value(0.2), b: value(0.3), c: none }, "Fail", "b: 30% > 10%"],
    ["all within the bound", { a: value(0.01), b: value(0.02) }, "Pass", "b: 2% <= 10%"],
    ["one without a value", { a: value(0.01), b: none }, "NoVerdict", "b: NoData: nothing"],
    ["thin traffic beside others", { a: value(0.01), b: thin }, "Pass", "a: 1% <= 10%"],
    ["thin traffic only", { a: thin }, "NoVerdict", "a: InsufficientTraffic: few"],
    ["no part", {}, "NoVerdict", "NoData: no label value has a series"],
  ])("of a split signal is judged by its worst part: %s", async (_, parts, outcome, text) => {
    const reading: Reading = { kind: "Split", parts: new Map(Object.entries(parts)) };
    expect(await check(reading).sample({ name: "errors", below: "0.10" }, context)).toEqual({
      outcome,
      value: text,
    });
  });

  it("waits until what it looks back on lies after the rollback", () => {
    const { windowMs } = check({ kind: "Value", value: 0 });

    expect(windowMs({ name: "errors" }, [errors])).toBe(30_000);
    expect(windowMs({ name: "other" }, [errors])).toBe(0);
  });
});
