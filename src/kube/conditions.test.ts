import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { cutText, getCondition, removeCondition, setCondition, type Condition } from "./conditions.ts";

const ready = {
  type: "Ready",
  status: "True",
  observedGeneration: 1,
  reason: "AllGood",
  message: "ok",
} as const;
const at = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second, 999);

describe("conditions", () => {
  it("moves lastTransitionTime only when the status changes", () => {
    const first = setCondition([], ready, at(1));
    const reasoned = setCondition(first, { ...ready, reason: "StillGood", observedGeneration: 2 }, at(2));
    const flipped = setCondition(reasoned, { ...ready, status: "False" }, at(3));
    expect([first, reasoned, flipped].map((each) => each[0]!.lastTransitionTime)).toEqual([
      "2026-01-01T00:00:01Z",
      "2026-01-01T00:00:01Z",
      "2026-01-01T00:00:03Z",
    ]);
    expect(reasoned[0]).toMatchObject({ reason: "StillGood", observedGeneration: 2 });
  });

  it("is the same list when nothing differs, and never changes the list it is given", () => {
    const list = Object.freeze(setCondition([], ready, at(1)).map((each) => Object.freeze(each)));
    expect(setCondition(list, ready, at(9))).toBe(list);
    expect(setCondition(list, { ...ready, type: "Other" }, at(9))).toHaveLength(2);
    expect(removeCondition(list, "Other")).toBe(list);
    expect(removeCondition(list, "Ready")).toEqual([]);
  });

  it("holds each type once, in the order of arrival (any sequence)", () => {
    const type = fc.constantFrom("A", "B", "C");
    const status = fc.constantFrom("True" as const, "False" as const, "Unknown" as const);
    fc.assert(
      fc.property(fc.array(fc.tuple(type, status)), (steps) => {
        let list: readonly Condition[] = [];
        const order: string[] = [];
        for (const [type, status] of steps) {
          list = setCondition(list, { ...ready, type, status }, at(0));
          if (!order.includes(type)) order.push(type);
          expect(getCondition(list, type)?.status).toBe(status);
        }
        expect(list.map((each) => each.type)).toEqual(order);
      }),
    );
  });

  it("cuts messages to what CRDs allow, never through a character", () => {
    const [condition] = setCondition([], { ...ready, message: "x".repeat(40_000) }, at(1));
    expect(condition!.message).toHaveLength(32_768);
    expect(cutText("ab😀cd", 4)).toBe("ab…");
    expect(cutText("ab😀", 4)).toBe("ab😀");
  });
});
