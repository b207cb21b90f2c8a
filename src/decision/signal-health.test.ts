import { describe, expect, it } from "@jest/globals";
import type { Sample } from "./sample.ts";
import { cannotEvaluate, observeHealth, SEEING } from "./signal-health.ts";

function after(samples: readonly Sample[], replicas = 3): boolean {
  return cannotEvaluate(samples.reduce((state, sample) => observeHealth(state, sample, replicas), SEEING));
}

const repeat = (sample: Sample, times: number) => Array.from({ length: times }, () => sample);

describe("cannotEvaluate", () => {
  const noData: Sample = { kind: "NoData", detail: "no series" };
  const thin: Sample = { kind: "InsufficientTraffic", detail: "3 requests" };
  const invalid: Sample = { kind: "Error", detail: "parse error", isInvalidQuery: true };
  const down: Sample = { kind: "Error", detail: "down" };
  it.each([
    ["a query that the server calls invalid, twice", [invalid, invalid], 3, true],
    ["once may be a gateway's word", [invalid], 3, false],
    ["not in a row", [invalid, down, invalid, thin, invalid], 3, false],
    ["ten intervals without data", repeat(noData, 10), 3, true],
    ["nine are not enough", repeat(noData, 9), 3, false],
    ["no pod is wanted", repeat(noData, 50), 0, false],
    ["thin traffic is normal", repeat(thin, 50), 3, false],
    ["thin traffic does not forgive", [...repeat(noData, 5), thin, ...repeat(noData, 5)], 3, true],
    ["a value does", [...repeat(noData, 9), { kind: "Value", value: 0 } as const, noData], 3, false],
    ["errors", repeat({ kind: "Error", detail: "down" }, 10), 0, true],
    ["unproven", repeat({ kind: "Unproven", detail: "label" }, 10), 3, true],
  ] as const)("%s", (_, samples, replicas, expected) => {
    expect(after(samples, replicas)).toBe(expected);
  });
});
