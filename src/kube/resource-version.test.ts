import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { compareResourceVersions } from "./resource-version.ts";

describe("compareResourceVersions", () => {
  it("orders as integers of any size do", () => {
    const version = fc.bigInt({ min: 0n, max: 2n ** 80n });
    fc.assert(
      fc.property(version, version, (a, b) => {
        const order = compareResourceVersions(String(a), String(b));
        expect(Math.sign(order ?? Number.NaN)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  it.each([
    ["", "1"],
    ["abc", "1"],
    ["1", "01"],
    ["1", "-1"],
  ])("does not order %j and %j", (a, b) => expect(compareResourceVersions(a, b)).toBeUndefined());
});
