import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { RowEvaluation } from "../../decision/matrix.ts";
import { breachOf, toldBreach } from "./breach-condition.ts";

const NOW = Date.UTC(2026, 10, 22, 0, 0, 30);
const FOR_MS = 120_000;

function evaluation(since: number | undefined, lastBreachAt: number): RowEvaluation {
  return {
    row: { name: "critical", signal: "error-rate", forMs: FOR_MS },
    verdict: since === undefined ? "Ok" : "Breach",
    window: { run: since === undefined ? undefined : { since, lastBreachAt } },
    at: lastBreachAt,
  } as unknown as RowEvaluation;
}

function told(evaluations: readonly RowEvaluation[], writtenAt: number, readAt = writtenAt) {
  const condition = { type: "Breached", lastTransitionTime: "", ...breachOf({ evaluations }, writtenAt) };
  return toldBreach({ conditions: [condition] }, readAt);
}

describe("toldBreach", () => {
  it("reads what breachOf wrote, to the second, even after midnight", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3_600 }),
        fc.integer({ min: 0, max: 600 }),
        (ageSeconds, laterSeconds) => {
          const since = NOW - ageSeconds * 1_000;
          const kind = NOW - since >= FOR_MS ? "Firing" : "Pending";
          expect(told([evaluation(since, NOW)], NOW, NOW + laterSeconds * 1_000)).toEqual({
            kind,
            row: "critical",
            since,
          });
        },
      ),
    );
  });

  it("takes a clock time that is still to come today for one of yesterday", () => {
    const since = NOW - 40_000;
    expect(told([evaluation(since, NOW - 31_000)], NOW - 31_000, NOW)).toMatchObject({ since });
  });

  it("tells quiet from unknown", () => {
    expect(told([evaluation(undefined, NOW)], NOW)).toEqual({ kind: "Quiet" });
    expect(told([], NOW)).toEqual({ kind: "Unknown", message: "no signal gives a verdict" });
    expect(toldBreach(undefined, NOW)).toMatchObject({ kind: "Unknown" });
  });
});
