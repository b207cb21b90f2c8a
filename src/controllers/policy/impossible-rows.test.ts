import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { MatrixRow } from "../../crds/policy-matrix.ts";
import { PolicySignal } from "../../crds/rollback-policy.ts";
import { verdictOf, type Row } from "../../decision/row.ts";
import { impossibleRows } from "./impossible-rows.ts";

const ratio = PolicySignal.parse({
  name: "s",
  prometheus: { ratio: { bad: "a", total: "b", window: "2m" } },
});
const quantile = PolicySignal.parse({
  name: "s",
  prometheus: { quantile: { quantile: "0.9", histogram: "h", window: "2m" } },
});
const free = PolicySignal.parse({ name: "s", prometheus: { query: "x" } });

function row(side: "above" | "below", threshold: string): MatrixRow {
  return MatrixRow.parse({ name: "r", when: { signal: "s", [side]: threshold }, action: "Rollback" });
}

describe("impossibleRows", () => {
  it.each([
    ["above", "1", /^matrix row r: above 1 never fires: a ratio lies between 0 and 1 \(5 % is "0.05"\)$/],
    ["above", "5", /above 5 never fires/],
    ["above", "-0.1", /above -0.1 always fires/],
    ["below", "0", /below 0 never fires/],
    ["below", "1.5", /below 1.5 always fires/],
  ] as const)("refuses a ratio %s %s", (side, threshold, message) => {
    expect(impossibleRows([row(side, threshold)], [ratio])).toEqual([expect.stringMatching(message)]);
  });

  it("refuses what cannot be counted", () => {
    const deaths = PolicySignal.parse({ name: "s", pods: { terminated: "OOMKilled" } });
    const waiting = PolicySignal.parse({ name: "s", pods: { waiting: "CrashLoopBackOff" } });
    expect(impossibleRows([row("above", "100")], [deaths])).toEqual([
      "matrix row r: above 100 never fires: 0 to 100 deaths are counted",
    ]);
    expect(impossibleRows([row("above", "99")], [deaths])).toEqual([]);
    expect(impossibleRows([row("above", "100")], [waiting])).toEqual([]);
    expect(impossibleRows([row("below", "0")], [waiting])).toHaveLength(1);
  });

  it("refuses a quantile below 0, and lets a free query be anything", () => {
    expect(impossibleRows([row("below", "0")], [quantile])).toHaveLength(1);
    expect(impossibleRows([row("above", "5")], [quantile])).toEqual([]);
    for (const side of ["above", "below"] as const) {
      expect(impossibleRows([row(side, "-7")], [free])).toEqual([]);
    }
  });

  it("refuses just the rows of a ratio that all values, or none, breach", () => {
    const values = Array.from({ length: 101 }, (_, index) => index / 100);
    fc.assert(
      fc.property(
        fc.constantFrom("above", "below"),
        fc.integer({ min: -200, max: 300 }),
        (side, hundredths) => {
          const threshold = hundredths / 100;
          const parsed = { comparison: side, threshold } as Row;
          const verdicts = new Set(values.map((value) => verdictOf(parsed, { kind: "Value", value })));
          const refused = impossibleRows([row(side, String(threshold))], [ratio]).length === 1;
          expect(refused).toBe(verdicts.size === 1);
        },
      ),
    );
  });
});
