import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { gridOf, newestInstant, untilNext } from "./schedule.ts";

const uids = fc.uuid();
const intervals = fc.integer({ min: 1_000, max: 3_600_000 });
const times = fc.integer({ min: 0, max: 4_000_000_000_000 });

describe("the grid of evaluations", () => {
  it("has an instant every interval, the same for every process", () => {
    fc.assert(
      fc.property(uids, intervals, times, (uid, intervalMs, now) => {
        const grid = gridOf(uid, intervalMs);
        const at = newestInstant(grid, now);
        expect(at).toBeLessThanOrEqual(now);
        expect(now - at).toBeLessThan(intervalMs);
        const wait = untilNext(gridOf(uid, intervalMs), now);
        expect(wait).toBeGreaterThan(0);
        expect(newestInstant(grid, now + wait)).toBe(at + intervalMs);
        expect(newestInstant(grid, now + wait - 1)).toBe(at);
      }),
    );
  });

  it("spreads policies over the interval", () => {
    const offsets = Array.from({ length: 1_000 }, (_, index) => gridOf(`uid-${index}`, 15_000).offsetMs);
    const tenths = Map.groupBy(offsets, (offset) => Math.floor(offset / 1_500));
    expect([...tenths.values()].every(({ length }) => length > 50 && length < 160)).toBe(true);
  });
});
