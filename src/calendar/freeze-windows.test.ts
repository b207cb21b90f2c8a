import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { Cron } from "croner";
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

afterEach(() => {
  jest.restoreAllMocks();
});

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

  it("counts each of them that goes on, however often they start and however long they are", () => {
    const always = { schedule: "* * * * *", duration: "720h", timeZone: "UTC" };
    expect(open(always, "2026-11-27T12:10:59.999Z")).toEqual(["2026-12-27T12:10:00.000Z"]);
  });

  it("is asked again and again, forwards and backwards", () => {
    const parsed = parseFreezeWindows([
      { ...WEEKEND, schedule: "*/2 * * * *", duration: "1m", timeZone: "UTC" },
    ]);
    if (parsed.kind === "Refused") throw new Error(parsed.problems.join());
    const { calendar } = parsed;
    const at = [
      "12:01:59.999",
      "12:02:00",
      "12:02:00.001",
      "12:02:59.999",
      "12:03:00",
      "12:02:30",
      "12:00:00",
    ];
    expect(at.map((time) => calendar.openAt(Date.parse(`2026-11-27T${time}Z`)).length)).toEqual([
      0, 1, 1, 1, 0, 1, 1,
    ]);
  });

  it("looks for one start at most once a minute, and reads the same windows once", () => {
    const search = jest.spyOn(Cron.prototype, "previousRuns");
    const forwards = jest.spyOn(Cron.prototype, "nextRun");
    const windows = Array.from({ length: 16 }, (_, index) => ({
      ...WEEKEND,
      name: `always-${index}`,
      schedule: "* * * * *",
      duration: "720h",
    }));
    const noon = Date.parse("2026-11-27T12:00:00Z");
    for (let second = 0; second < 60; second += 1) {
      const parsed = parseFreezeWindows(windows);
      expect(parsed.kind === "Parsed" && parsed.calendar.openAt(noon + second * 1_000)).toHaveLength(16);
    }
    expect(search).toHaveBeenCalledTimes(16);
    expect(forwards).toHaveBeenCalledTimes(16);
  });

  it.each([
    ["a time that occurs twice starts once", "30 2 * * *", "2026-10-25T01:30:00Z", []],
    [
      "a time that is left out starts when the clock has jumped",
      "30 2 * * *",
      "2026-03-29T01:00:30Z",
      ["2026-03-29T01:01:00.000Z"],
    ],
    ["a leap day", "0 0 29 2 *", "2028-02-28T23:00:00Z", ["2028-02-28T23:01:00.000Z"]],
  ])("%s", (_, schedule, at, expected) => {
    expect(open({ schedule, duration: "1m" }, at)).toEqual(expected);
  });

  it("is as long as it says over a change of the clocks", () => {
    // Berlin goes from summer to winter time in the night to 2026-10-25.
    expect(open({}, "2026-10-24T12:00:00Z")).toEqual(["2026-10-26T04:00:00.000Z"]);
  });

  it.each([
    [{ schedule: "61 18 * * FRI" }, "cannot be read"],
    [{ schedule: "0 0 18 * * FRI" }, "five fields"],
    [{ schedule: "0 18 31 2 *" }, 'schedule "0 18 31 2 *" in time zone "Europe/Berlin" does not begin'],
    // The hour that summer time leaves out, every year.
    [{ schedule: "* 2 * 3 SUN#L" }, "does not begin in the next 10 years"],
    [{ timeZone: "Europe/Atlantis" }, /^guards.freeze weekend: unknown time zone "Europe\/Atlantis"$/],
  ])("refuses %o", (change, message) => {
    const parsed = parseFreezeWindows([{ ...WEEKEND, ...change }]);
    expect(parsed).toMatchObject({ kind: "Refused" });
    expect(parsed.kind === "Refused" && parsed.problems.join()).toMatch(message);
  });
});
