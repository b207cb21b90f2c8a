import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { DURATION_PATTERN, formatDuration, parseDuration } from "./duration.ts";

describe("duration", () => {
  it.each([
    ["2m", 120_000],
    ["1h30m", 5_400_000],
    ["500ms", 500],
    ["1m500ms", 60_500],
    ["0s", 0],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "5", "m", "1d", "-1s", "1s ", "1.5s", "9999999999999999h"])("refuses '%s'", (text) => {
    expect(() => parseDuration(text)).toThrow(RangeError);
  });

  it("reads back what it writes, in the form the kinds accept", () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 12 }), (ms) => {
        const text = formatDuration(ms);

        expect(parseDuration(text)).toBe(ms);
        expect(text).toMatch(new RegExp(DURATION_PATTERN));
      }),
    );
  });
});
