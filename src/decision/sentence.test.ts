import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { breachSentence, clockTime, formatSpan, formatValue } from "./sentence.ts";

const AT = Date.UTC(2026, 10, 22, 14, 3, 20);
const facts = {
  signal: "error-rate",
  unit: "ratio",
  value: 0.3121,
  comparison: "above",
  threshold: 0.1,
  since: AT,
  lastBreachAt: AT + 12_000,
  onset: AT,
  release: { revision: 8, startedAt: AT - 22_000 },
} as const;

describe("breachSentence", () => {
  it.each([
    [facts, "error-rate 31.2% > 10% for 12s since 14:03:20, 22s after revision 8 started"],
    [{ ...facts, lastBreachAt: AT }, "error-rate 31.2% > 10% at 14:03:20, 22s after revision 8 started"],
    [{ ...facts, release: { revision: 8 } }, "error-rate 31.2% > 10% for 12s since 14:03:20"],
    [
      { ...facts, onset: AT - 82_000 },
      "error-rate 31.2% > 10% for 12s since 14:03:20 (first seen at 14:01:58, before a gap in the data), 1m before revision 8 started",
    ],
    [
      {
        ...facts,
        signal: "ready",
        unit: "count",
        comparison: "below",
        value: 2,
        threshold: 3,
        release: undefined,
      },
      "ready 2 < 3 for 12s since 14:03:20",
    ],
    [
      {
        ...facts,
        attribution: { verdict: "Caused", finding: "new pods 23% vs old pods 0.2%: caused by revision 8" },
      },
      "error-rate 31.2% > 10% for 12s since 14:03:20, 22s after revision 8 started; new pods 23% vs old pods 0.2%: caused by revision 8",
    ],
    [
      { ...facts, attribution: { verdict: "Unknown", finding: "1 of 2 pods carries it" } },
      "error-rate 31.2% > 10% for 12s since 14:03:20, 22s after revision 8 started",
    ],
    [
      {
        ...facts,
        attribution: {
          verdict: "Likely",
          cause: { revision: 7, startedAt: AT - 60_000 },
          finding: "likely caused by revision 7, which revision 8 did not mend",
        },
      },
      "error-rate 31.2% > 10% for 12s since 14:03:20, 1m after revision 7 started; likely caused by revision 7, which revision 8 did not mend",
    ],
  ] as const)("%#", (input, text) => {
    expect(breachSentence(input)).toBe(text);
  });
});

describe("formats", () => {
  it.each([
    [0.1, "ratio", "10%"],
    [0.0005, "ratio", "0.05%"],
    [1, "ratio", "100%"],
    [5, "seconds", "5s"],
    [0.12345, "seconds", "0.123s"],
    [1234567, "count", "1234567"],
  ] as const)("value %p in %s is %s", (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text);
  });

  it.each([
    [0, "0s"],
    [250, "250ms"],
    [12_000, "12s"],
    [90_000, "1m30s"],
    [7_500_000, "2h5m"],
    [86_400_000, "24h"],
  ] as const)("%p ms is %s", (ms, text) => {
    expect(formatSpan(ms)).toBe(text);
  });

  it("writes the date of another day, and never throws", () => {
    expect(clockTime(AT, AT + 1000)).toBe("14:03:20");
    expect(clockTime(AT, AT + 86_400_000)).toBe("2026-11-22T14:03:20Z");
    fc.assert(fc.property(fc.double(), fc.double(), (a, b) => typeof clockTime(a, b) === "string"));
  });
});
