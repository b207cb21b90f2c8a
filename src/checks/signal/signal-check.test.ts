import { describe, expect, it } from "@jest/globals";
import type { PolicySignal } from "../../crds/rollback-policy.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Sample } from "../../decision/sample.ts";
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

function check(sample: Sample) {
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

  it("waits until what it looks back on lies after the rollback", () => {
    const { windowMs } = check({ kind: "Value", value: 0 });

    expect(windowMs({ name: "errors" }, [errors])).toBe(30_000);
    expect(windowMs({ name: "other" }, [errors])).toBe(0);
  });
});
