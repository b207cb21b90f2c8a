import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { labelsOfPart } from "./evidence-part.ts";
import { partName } from "./parts.ts";

describe("labelsOfPart", () => {
  it.each([
    [[], "", {}],
    [["route"], "route=/models", { route: "/models" }],
    [["method", "route"], "method=GET, route=/models", { method: "GET", route: "/models" }],
    [["route"], 'route="a, b"', { route: "a, b" }],
    [["route"], "route=", { route: "" }],
    [["route"], "code=200", undefined],
    [["route"], "route=/models, code=200", undefined],
  ])("of %j reads %j", (by, part, labels) => {
    expect(labelsOfPart(by, part)).toEqual(labels);
  });

  it("gives back what the name was made of, or nothing", () => {
    const value = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[",=\\ a]{0,12}$/),
      fc.string({ minLength: 119, maxLength: 130 }),
    );
    fc.assert(
      fc.property(value, value, (method, route) => {
        const labels = { method, route };
        const read = labelsOfPart(["method", "route"], partName(["method", "route"], labels));
        const isCut = method.length > 120 || route.length > 120;
        expect([labels, ...(isCut ? [undefined] : [])]).toContainEqual(read);
      }),
    );
  });
});
