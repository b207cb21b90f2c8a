import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  contentDigest,
  contentOf,
  keyChanges,
  membersOf,
  onlyKey,
  sizeOf,
  withoutValues,
  withValues,
} from "./content.ts";

const key = fc.stringMatching(/^[-._a-zA-Z0-9]{1,12}$/);
const values = fc.dictionary(key, fc.string());
const content = fc.record({ data: values, binaryData: fc.constant({}) });

function sortedEntries(data: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(data).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe("the content of a ConfigMap", () => {
  it("has one digest, whatever the order of its keys, and its members round trip", () => {
    fc.assert(
      fc.property(content, (one) => {
        const reversed = { ...one, data: Object.fromEntries(Object.entries(one.data).toReversed()) };
        expect(contentDigest("a", reversed)).toBe(contentDigest("a", one));
        expect(contentOf(membersOf(one))).toEqual(one);
      }),
    );
  });

  it("has another digest with any other key, value, member or name", () => {
    fc.assert(
      fc.property(content, content, (one, other) => {
        const same = sortedEntries(one.data) === sortedEntries(other.data);
        expect(contentDigest("a", one) === contentDigest("a", other)).toBe(same);
        expect(contentDigest("a", one)).not.toBe(contentDigest("b", one));
      }),
    );
    expect(contentDigest("a", { data: { k: "AA==" }, binaryData: {} })).not.toBe(
      contentDigest("a", { data: {}, binaryData: { k: "AA==" } }),
    );
  });

  it("tells changed keys, never their values", () => {
    const from = { data: { A: "secret-1", B: "secret-2", C: "same" }, binaryData: { bin: "AAAA" } };
    const to = { data: { A: "secret-3", C: "same", D: "secret-4" }, binaryData: {} };

    const changes = keyChanges("map", from, to);

    expect(changes).toEqual([
      expect.stringMatching(/^data\.A [0-9a-f]{8} -> [0-9a-f]{8}$/),
      expect.stringMatching(/^data\.B [0-9a-f]{8} -> removed$/),
      expect.stringMatching(/^data\.D added [0-9a-f]{8}$/),
      expect.stringMatching(/^binaryData\.bin [0-9a-f]{8} -> removed$/),
    ]);
    expect(changes.join()).not.toMatch(/secret|AAAA/);
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, "v"]));
    const shown = keyChanges("map", { data: {}, binaryData: {} }, { data: many, binaryData: {} });
    expect([shown.length, shown.at(-1)]).toEqual([64, "and 37 more keys"]);
  });

  it("takes a key that every object seems to have for what it is", () => {
    const odd = {
      data: JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>,
      binaryData: {},
    };
    expect(onlyKey(odd, "constructor")?.data["constructor"]).toBe("y");
    expect(onlyKey({ data: {}, binaryData: {} }, "constructor")).toBeUndefined();
    expect(keyChanges("m", odd, { data: {}, binaryData: {} })).toHaveLength(2);
    expect(keyChanges("m", odd, odd)).toEqual([]);
  });

  it("is counted as the API server counts", () => {
    expect(sizeOf({ data: { k: "é" }, binaryData: { bin: "AAAA" } })).toBe(1 + 2 + 3 + 3);
  });

  it("gets keys set, in whichever member they were", () => {
    const live = { data: { A: "1", B: "2" }, binaryData: { C: "AAAA" } };
    expect(withValues(live, { B: "3", C: "text" })).toEqual({
      data: { A: "1", B: "3", C: "text" },
      binaryData: {},
    });
  });

  it("stands in no words of others", () => {
    const one = { data: { A: "hunter2", B: "hunter2-longer\n", C: "on" }, binaryData: {} };
    expect(withoutValues("denied: hunter2-longer and hunter2 are on", one)).toBe(
      "denied: <value> and <value> are on",
    );
  });
});
