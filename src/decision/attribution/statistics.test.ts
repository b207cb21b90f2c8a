import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { proportionsZ, ranksZ } from "./statistics.ts";

describe("proportionsZ", () => {
  it.each([
    // By hand: pooled 30/200, variance 200*... = 100*100*30*170/(200²*199)
    ["one stratum", [{ a: { bad: 20, total: 100 }, b: { bad: 10, total: 100 } }], 1.975],
    ["equal shares", [{ a: { bad: 10, total: 100 }, b: { bad: 20, total: 200 } }], 0],
    ["nobody is bad", [{ a: { bad: 0, total: 100 }, b: { bad: 0, total: 100 } }], 0],
    ["one side is empty", [{ a: { bad: 10, total: 100 }, b: { bad: 0, total: 0 } }], 0],
    ["no strata", [], 0],
  ] as const)("%s", (_, strata, z) => {
    expect(proportionsZ(strata)).toBeCloseTo(z, 2);
  });

  it("does not compare across strata: equal within each is equal, whatever the sums say", () => {
    const strata = [
      { a: { bad: 1, total: 10 }, b: { bad: 100, total: 1000 } },
      { a: { bad: 900, total: 1000 }, b: { bad: 9, total: 10 } },
    ];
    expect(proportionsZ(strata)).toBeCloseTo(0, 9);
  });

  it("is antisymmetric and finite", () => {
    const counts = fc
      .nat({ max: 1000 })
      .chain((total) => fc.record({ bad: fc.nat(total), total: fc.constant(total) }));
    fc.assert(
      fc.property(fc.array(fc.record({ a: counts, b: counts })), (strata) => {
        const z = proportionsZ(strata);
        expect(Number.isFinite(z)).toBe(true);
        expect(proportionsZ(strata.map(({ a, b }) => ({ a: b, b: a })))).toBeCloseTo(-z, 6);
      }),
    );
  });
});

describe("ranksZ", () => {
  it.each([
    // U = 9 of 9 pairs, mean 4.5, variance 3*3*7/12.
    ["all of a above all of b", [{ a: [4, 5, 6], b: [1, 2, 3] }], 1.964],
    ["interleaved", [{ a: [1, 4], b: [2, 3] }], 0],
    ["all tied", [{ a: [1, 1], b: [1, 1] }], 0],
    // Mean 2, U = 3, variance 4/12 * (5 - (3³-3)/(4*3)).
    ["ties in part", [{ a: [1, 2], b: [1, 1] }], 1],
    ["nothing beside it", [{ a: [1, 2], b: [] }], 0],
  ] as const)("%s", (_, strata, z) => {
    expect(ranksZ(strata)).toBeCloseTo(z, 3);
  });

  it("grows with each stratum that says the same", () => {
    const stratum = { a: [4, 5, 6], b: [1, 2, 3] };
    expect(ranksZ([stratum, stratum])).toBeCloseTo(ranksZ([stratum]) * Math.SQRT2, 9);
  });

  it("is antisymmetric and finite", () => {
    const values = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(fc.record({ a: values, b: values })), (strata) => {
        const z = ranksZ(strata);
        expect(Number.isFinite(z)).toBe(true);
        expect(ranksZ(strata.map(({ a, b }) => ({ a: b, b: a })))).toBeCloseTo(-z, 9);
      }),
    );
  });
});
