import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { attribute, type AttributionInput } from "./attribute.ts";

const START = Date.UTC(2026, 10, 22, 14, 3, 0);
const BASE: AttributionInput = {
  release: { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8", startedAt: START },
  evidence: undefined,
  onset: START + 22_000,
  healthyAt: START + 7_000,
  lookbackMs: 3_600_000,
  toleratedGapMs: 45_000,
  now: START + 60_000,
};

describe("attribute", () => {
  it.each([
    ["the breach began after the release", {}, "Likely", "22s after revision 8 started"],
    [
      "healthy just before the release, first seen after a gap",
      { healthyAt: START - 30_000 },
      "Likely",
      "after",
    ],
    ["at the same instant", { onset: START }, "Likely", "0s after"],
    ["the breach is older than the release", { onset: START - 1 }, "Unlikely", "before revision 8 started"],
    ["the release is older than the lookback", { now: START + 3_600_001 }, "Unlikely", "lookback of 1h"],
    ["left edge", { healthyAt: undefined }, "Unknown", "its beginning is not known"],
    [
      "unmeasured before the release",
      { healthyAt: START - 46_000 },
      "Unknown",
      "nothing was measured between",
    ],
    ["unknown release", { release: undefined }, "Unknown", "live release is not known"],
    [
      "unknown start",
      { release: { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8" } },
      "Unknown",
      "start of revision 8 was not seen",
    ],
  ] as const)("%s", (_, change, verdict, reason) => {
    const attribution = attribute({ ...BASE, ...change });
    expect(attribution.verdict).toBe(verdict);
    expect(attribution.reason).toContain(reason);
  });

  it("is Likely only with a known start within the lookback that is not after the onset", () => {
    const time = fc.integer({ min: START - 7_200_000, max: START + 7_200_000 });
    fc.assert(
      fc.property(
        fc.option(time, { nil: undefined }),
        time,
        fc.option(time, { nil: undefined }),
        time,
        (startedAt, onset, healthyAt, now) => {
          const release = { replicaSetUid: "a", revision: 1, podTemplateHash: "h", startedAt };
          if (attribute({ ...BASE, release, onset, healthyAt, now }).verdict === "Likely") {
            expect(startedAt).toBeDefined();
            expect(healthyAt).toBeDefined();
            expect(onset).toBeGreaterThanOrEqual(startedAt!);
            expect(now - startedAt!).toBeLessThanOrEqual(BASE.lookbackMs);
          }
        },
      ),
    );
  });
});
