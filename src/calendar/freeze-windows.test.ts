import { describe, expect, it } from "@jest/globals";
import type { FreezeWindow } from "../crds/policy-guards.ts";
import { parseFreezeWindows } from "./freeze-windows.ts";

const WEEKEND: FreezeWindow = {
  name: "weekend",
  schedule: "0 18 * * FRI",
  duration: "60h",
  timeZone: "Europe/Berlin",
  allow: ["SEV1"],
};

function open(window: Partial<FreezeWindow>, at: string): readonly string[] {
  const parsed = parseFreezeWindows([{ ...WEEKEND, ...window }]);
  if (parsed.kind === "Refused") throw new Error(parsed.problems.join());
  return parsed.calendar.openAt(Date.parse(at)).map(({ until }) => new Date(until).toISOString());
}

describe("freeze windows", () => {
  it.each([
    ["before it begins", "2026-11-27T16:59:59Z", []],
    [
      "at its first instant, in the time zone's winter time",
      "2026-11-27T17:00:00Z",
      ["2026-11-30T05:00:00.000Z"],
    ],
    ["in the middle", "2026-11-29T12:00:00Z", ["2026-11-30T05:00:00.000Z"]],
    ["at its end", "2026-11-30T05:00:00Z", []],
    ["in summer time", "2026-07-17T16:00:00Z", ["2026-07-20T04:00:00.000Z"]],
  ])("%s", (_, at, expected) => {
    expect(open({}, at)).toEqual(expected);
  });

  it("ends with the newest of overlapping starts", () => {
    const hourly = { schedule: "0 * * * *", duration: "90m", timeZone: "UTC" };
    expect(open(hourly, "2026-11-27T12:10:00Z")).toEqual(["2026-11-27T13:30:00.000Z"]);
  });

  it("is as long as it says over a change of the clocks", () => {
    // Berlin goes from summer to winter time in the night to 2026-10-25.
    expect(open({}, "2026-10-24T12:00:00Z")).toEqual(["2026-10-26T04:00:00.000Z"]);
  });

  it.each([
    [{ schedule: "61 18 * * FRI" }, "cannot be read"],
    [{ schedule: "0 0 18 * * FRI" }, "five fields"],
    [{ timeZone: "Europe/Atlantis" }, "Europe/Atlantis"],
  ])("refuses %o", (change, message) => {
    const parsed = parseFreezeWindows([{ ...WEEKEND, ...change }]);
    expect(parsed).toMatchObject({ kind: "Refused" });
    expect(parsed.kind === "Refused" && parsed.problems.join()).toContain(message);
  });
});
