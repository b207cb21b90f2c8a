import { describe, expect, it } from "@jest/globals";
import { ageOf, clockTime, secondsBetween } from "./age.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function ago(ms: number): string {
  return new Date(NOW - ms).toISOString();
}

describe("ageOf", () => {
  it.each([
    [0, "0s"],
    [119 * SECOND, "119s"],
    [2 * MINUTE, "2m"],
    [3 * MINUTE + 5 * SECOND, "3m5s"],
    [10 * MINUTE + 59 * SECOND, "10m"],
    [179 * MINUTE, "179m"],
    [3 * HOUR, "3h"],
    [7 * HOUR + 59 * MINUTE, "7h59m"],
    [8 * HOUR + 59 * MINUTE, "8h"],
    [47 * HOUR, "47h"],
    [2 * DAY + HOUR, "2d1h"],
    [8 * DAY + 5 * HOUR, "8d"],
    [729 * DAY, "729d"],
    [3 * 365 * DAY + 2 * DAY, "3y2d"],
    [9 * 365 * DAY + 2 * DAY, "9y"],
  ])("writes %d ms as kubectl does: %s", (ms, text) => {
    expect(ageOf(ago(ms), NOW)).toBe(text);
  });

  it("takes an object from the future for a new one", () => {
    expect(ageOf(ago(-5 * SECOND), NOW)).toBe("0s");
  });

  it("says when it does not know", () => {
    expect(ageOf(undefined, NOW)).toBe("<unknown>");
    expect(ageOf("yesterday", NOW)).toBe("<unknown>");
  });
});

describe("secondsBetween", () => {
  it("shows hundredths below a second and whole seconds above", () => {
    expect(secondsBetween("2026-06-01T12:00:00.000Z", "2026-06-01T12:00:00.072Z")).toBe("0.07s");
    expect(secondsBetween("2026-06-01T12:00:00.000Z", "2026-06-01T12:02:08.600Z")).toBe("129s");
  });

  it("is nothing where a moment is missing", () => {
    expect(secondsBetween(undefined, "2026-06-01T12:00:00Z")).toBeUndefined();
    expect(secondsBetween("2026-06-01T12:00:00Z", undefined)).toBeUndefined();
  });
});

describe("clockTime", () => {
  it("names the day only when it is another one", () => {
    expect(clockTime(ago(MINUTE), NOW)).toMatch(/^\d\d:\d\d$/);
    expect(clockTime(ago(MINUTE), NOW, true)).toMatch(/^\d\d:\d\d:\d\d$/);
    expect(clockTime(ago(3 * DAY), NOW)).toMatch(/^2026-05-(28|29|30) \d\d:\d\d$/);
  });
});
