import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { canonicalJson, digestOf } from "./digest.ts";

/** The same value with the keys of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

describe("digest", () => {
  it("does not depend on the order of keys or on undefined members", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(digestOf(reversed(value))).toBe(digestOf(value));
        expect(digestOf({ value, more: undefined })).toBe(digestOf({ value }));
      }),
    );
  });

  it("differs where the values differ", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(digestOf(one) === digestOf(other)).toBe(canonicalJson(one) === canonicalJson(other));
      }),
    );
    expect(digestOf([1, 2])).not.toBe(digestOf([2, 1]));
    expect(digestOf({ a: "1" })).not.toBe(digestOf({ a: 1 }));
  });

  it("stays the same over versions of the operator: requests of before must be known again", () => {
    expect(digestOf({ reason: "5xx", steps: [{ name: "app" }] })).toBe("fc06396e3b9e07f8");
  });
});
