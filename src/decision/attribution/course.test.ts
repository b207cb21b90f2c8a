import { describe, expect, it } from "@jest/globals";
import { courseOf, loadExplains } from "./course.ts";
import type { Interval } from "./evidence.ts";

/** Intervals a second apart, of so many requests each. */
function intervals(shares: readonly number[], total = 100): readonly Interval[] {
  return shares.map((share, i) => ({ at: i * 1_000, bad: Math.round(share * total), total }));
}

describe("courseOf", () => {
  it.each([
    ["nothing is bad now", [0, 0.5, 0], undefined],
    ["nothing is known", [], undefined],
    ["bad from the first request on", [0.5, 0.5], { badSince: 0, healthyMs: 0, riseMs: undefined }],
    ["at one moment", [0, 0, 0, 0.5, 0.5], { badSince: 3_000, healthyMs: 2_000, riseMs: 1_000 }],
    [
      "more and more",
      [0, 0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3],
      { badSince: 3_000, healthyMs: 2_000, riseMs: 3_000 },
    ],
    ["not for the first time", [0.5, 0, 0, 0.5], { badSince: 3_000, healthyMs: 1_000, riseMs: 1_000 }],
  ] as const)("%s", (_, shares, course) => {
    expect(courseOf(intervals(shares), 0.1)).toEqual(course);
  });

  it("is not taken in by a handful of requests that happen to be fine", () => {
    const few = intervals([0, 0, 0, 0, 0.4, 0.4, 0, 0.4, 0.4, 0.4], 10);
    expect(courseOf(few, 0.2)?.badSince).toBe(3_000);
    expect(courseOf(intervals([0, 0, 0, 0, 0.4, 0.4, 0, 0.4, 0.4, 0.4], 100), 0.2)?.badSince).toBe(7_000);
  });
});

describe("loadExplains", () => {
  const course = { badSince: 3_000, healthyMs: 2_000, riseMs: 1_000 };
  const load = (before: number, after: number, share: number): readonly Interval[] => [
    ...intervals([0, 0, 0], before),
    ...intervals([0, 0, 0, share, share], after).slice(3),
  ];

  it.each([
    ["what cannot be served of half as much more", load(100, 150, 0.33), true],
    ["much more fails than that", load(100, 110, 0.6), false],
    ["as much as before", load(100, 100, 0.2), false],
    ["nothing before", intervals([0, 0, 0, 0.5]).slice(3), false],
  ] as const)("%s", (_, given, is) => {
    expect(loadExplains(given, course)).toBe(is);
  });
});
