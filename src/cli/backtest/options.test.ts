import { describe, expect, it } from "@jest/globals";
import { InvalidArgumentError } from "commander";
import { parseHeader, parseServerUrl, parseSince, parseTime, rangeOf } from "./options.ts";

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 29, 12);

describe("options of backtest", () => {
  it.each([
    ["14d", 14 * 24 * HOUR],
    ["36h", 36 * HOUR],
    ["1d12h", 36 * HOUR],
    ["90m", 1.5 * HOUR],
  ])("--since %s", (text, ms) => {
    expect(parseSince(text)).toBe(ms);
  });

  it.each(["", "14", "0d", "d", "12h1d", "a week", "-1d"])("refuses --since %j", (text) => {
    expect(() => parseSince(text)).toThrow(InvalidArgumentError);
  });

  it("takes times with their zone only", () => {
    expect(parseTime("2026-11-03T10:00:00+01:00")).toBe(Date.UTC(2026, 10, 3, 9));
    for (const text of ["2026-11-03", "2026-11-03T09:00:00", "now", "2026-13-03T09:00:00Z"]) {
      expect(() => parseTime(text)).toThrow("such as 2026-11-03T09:00:00Z");
    }
  });

  it("takes addresses of http servers", () => {
    expect(parseServerUrl("https://prometheus.example/mimir")).toBe("https://prometheus.example/mimir");
    for (const text of ["localhost:9090", "ftp://x", ""]) {
      expect(() => parseServerUrl(text)).toThrow("such as http://localhost:9090");
    }
  });

  it("gathers headers", () => {
    expect(parseHeader("B: 2: 3", parseHeader("X-Scope-OrgID: shop"))).toEqual({
      "X-Scope-OrgID": "shop",
      B: "2: 3",
    });
    expect(() => parseHeader("shop")).toThrow('must be "NAME: VALUE"');
  });

  it("the range ends now where nothing else is said", () => {
    expect(rangeOf({ since: HOUR }, NOW)).toEqual({ start: NOW - HOUR, end: NOW });
    expect(rangeOf({ since: HOUR, end: NOW - HOUR }, NOW)).toEqual({
      start: NOW - 2 * HOUR,
      end: NOW - HOUR,
    });
    expect(rangeOf({ start: NOW - HOUR }, NOW)).toEqual({ start: NOW - HOUR, end: NOW });
    expect(() => rangeOf({}, NOW)).toThrow("either --since 14d, or --start TIME");
    expect(() => rangeOf({ start: NOW, end: NOW }, NOW)).toThrow("--start must be before --end");
  });
});
