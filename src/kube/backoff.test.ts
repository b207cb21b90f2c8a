import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { backoffDelay, createBackoff } from "./backoff.ts";

describe("backoff", () => {
  it("doubles from the base to the maximum", () => {
    const delays = [1, 2, 3, 4, 5, 2_000].map((n) => backoffDelay(n, { baseMs: 5, maxMs: 30 }, () => 0));
    expect(delays).toEqual([5, 10, 20, 30, 30, 30]);
  });

  it("stays between its jitter and the maximum for any number of failures", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), share, share, (failures, jitter, random) => {
        const delay = backoffDelay(failures, { baseMs: 5, maxMs: 60_000, jitter }, () => random);
        const full = backoffDelay(failures, { baseMs: 5, maxMs: 60_000, jitter: 0 }, () => 0);
        expect(delay).toBeLessThanOrEqual(full);
        expect(delay).toBeGreaterThanOrEqual(full * (1 - jitter) - 1e-9);
      }),
    );
  });

  it("begins again after a reset", () => {
    const backoff = createBackoff({ baseMs: 10, maxMs: 100 }, () => 0);
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.next()).toBe(10);
  });
});
