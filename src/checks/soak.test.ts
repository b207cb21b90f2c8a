import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { CheckSample } from "./check.ts";
import { judge, soakOf } from "./soak.ts";

const times = { finishedAt: 1_000, settleMs: 10_000, soakMs: 60_000, intervalMs: 10_000 };
const soak = soakOf("errors", 0, times);

const sample = (outcome: CheckSample["outcome"]): CheckSample => ({ outcome, value: outcome });
const samples = fc.array(
  fc.constantFrom("Pass" as const, "Fail" as const, "NoVerdict" as const, "Unsettled" as const).map(sample),
);

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
      patience: 1,
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

  it.each([
    ["one in the middle", "Pass Unsettled Pass Pass Pass Pass Pass", "Passed"],
    ["a third of the soak", "Pass Unsettled Unsettled Pass Pass Pass Pass", "Passed"],
    ["more than a third of it", "Pass Unsettled Unsettled Unsettled", "Failed"],
    ["more than a third, with gaps in the data", "Unsettled NoVerdict Unsettled Unsettled", "Failed"],
    ["several short times", "Unsettled Unsettled Pass Unsettled Unsettled Pass Pass", "Passed"],
    ["one at the end: looked at again", "Pass Pass Pass Pass Pass Pass Unsettled", "Pending"],
    ["one at the end, settled since", "Pass Pass Pass Pass Pass Pass Unsettled Pass", "Passed"],
    ["too few others: more are taken", "Pass Unsettled Pass", "Pending"],
  ] as const)("bears what is bad for a short time only: %s", (_, outcomes, outcome) => {
    const taken = outcomes.split(" ").map((each) => sample(each as CheckSample["outcome"]));

    expect(judge({ soak, samples: taken }, soak.endAt).outcome).toBe(outcome);
  });

  it("ends: whatever comes, it is judged soon after its end", () => {
    const until = soak.patience + 4;
    fc.assert(
      fc.property(
        fc.array(
          samples.map((taken) => taken[0] ?? sample("Unsettled")),
          { minLength: until * until },
        ),
        (taken) => {
          const outcomes = taken.map(
            (_, index) => judge({ soak, samples: taken.slice(0, index) }, soak.endAt).outcome,
          );

          expect(outcomes.some((outcome) => outcome !== "Pending")).toBe(true);
        },
      ),
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
