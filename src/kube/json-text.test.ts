import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { jsonText } from "./json-text.ts";

describe("JSON for the API server", () => {
  it("escapes what Go escapes", () => {
    expect(jsonText({ args: ["a && b <c> 'd'\u2028"] })).toBe(
      `{"args":["a \\u0026\\u0026 b \\u003cc\\u003e 'd'\\u2028"]}`,
    );
  });

  it("says the same", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(jsonText(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
