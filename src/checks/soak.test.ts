import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { CheckSample } from "./check.ts";
import { judge, soakOf } from "./soak.ts";

const times = { finishedAt: 1_000, settleMs: 10_000, soakMs: 60_000, intervalMs: 10_000 };
const soak = soakOf("errors", 0, times);

const sample = (outcome: CheckSample["outcome"]): CheckSample => ({ outcome, value: outcome });
const samples = fc.array(fc.constantFrom("Pass" as const, "Fail" as const, "NoVerdict" as const).map(sample));

describe("soak", () => {
  it("begins when the check's window lies wholly after the rollback", () => {
    expect(soakOf("errors", 30_000, times).startAt).toBe(31_000);
    expect(soakOf("pods", 0, times).startAt).toBe(11_000);
  });

  it("is long enough for three samples", () => {
    expect(soakOf("pods", 0, { ...times, soakMs: 1_000 })).toEqual({
      name: "pods",
      startAt: 11_000,
      endAt: 31_000,
    });
  });

  it("passes on verdicts that all pass, at the end only", () => {
    const record = { soak, samples: ["Pass", "Pass", "NoVerdict", "Pass"].map((o) => sample(o as "Pass")) };

    expect(judge(record, soak.endAt - 1).outcome).toBe("Pending");
    expect(judge(record, soak.endAt)).toEqual({ outcome: "Passed", value: "Pass", verdicts: 3 });
  });

  it("waits for its samples when they come late, instead of calling it a lack of data", () => {
    const taken = ["Pass", "Pass"].map((outcome) => sample(outcome as "Pass"));

    expect(judge({ soak, samples: taken }, soak.endAt + 1).outcome).toBe("Pending");
    expect(judge({ soak, samples: [...taken, sample("Pass")] }, soak.endAt + 1).outcome).toBe("Passed");
  });

  it("never passes on no data, on too little of it, or when data ends", () => {
    fc.assert(
      fc.property(samples, (taken) => {
        const { outcome } = judge({ soak, samples: taken }, soak.endAt + 1);
        const verdicts = taken.filter((s) => s.outcome === "Pass").length;

        if (outcome === "Passed") {
          expect(verdicts).toBeGreaterThanOrEqual(3);
          expect(taken.at(-1)?.outcome).toBe("Pass");
        }
      }),
    );
  });

  it("fails at once on one failed sample, whatever came before or after", () => {
    fc.assert(
      fc.property(samples, samples, fc.nat(), (before, after, now) => {
        const taken = [...before, sample("Fail"), ...after];

        expect(judge({ soak, samples: taken }, now).outcome).toBe("Failed");
      }),
    );
  });
});
