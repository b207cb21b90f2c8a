import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { isCurrent, type RollbackReadiness } from "./readiness.ts";

const MINUTE = 60_000;

function answer(change: Partial<RollbackReadiness> = {}): RollbackReadiness {
  return {
    ready: true,
    reason: "Planned",
    message: "",
    target: "revision 1",
    question: "q",
    askedAt: 0,
    ...change,
  };
}

describe("isCurrent", () => {
  it("is not without an answer, or to another question", () => {
    expect(isCurrent(undefined, "q", 0)).toBe(false);
    expect(isCurrent(answer(), "other", 0)).toBe(false);
  });

  it("holds a good answer for 45 to 75 minutes, the same for the same question", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (question) => {
        const good = answer({ question });
        expect(isCurrent(good, question, 0)).toBe(true);
        expect(isCurrent(good, question, 45 * MINUTE - 1)).toBe(true);
        expect(isCurrent(good, question, 75 * MINUTE)).toBe(false);
        const at = 60 * MINUTE;
        expect(isCurrent(good, question, at)).toBe(isCurrent({ ...good }, question, at));
      }),
    );
  });

  it("lets answers of many policies expire at different times", () => {
    const questions = Array.from({ length: 100 }, (_, index) => JSON.stringify([`uid-${index}`]));
    const alive = questions.filter((question) => isCurrent(answer({ question }), question, 60 * MINUTE));
    expect(alive.length).toBeGreaterThan(20);
    expect(alive.length).toBeLessThan(80);
  });

  it("asks again after half a minute where the answer was no", () => {
    const bad = answer({ ready: false });
    expect(isCurrent(bad, "q", 29_999)).toBe(true);
    expect(isCurrent(bad, "q", 30_000)).toBe(false);
  });

  it("does not trust an answer from the future", () => {
    expect(isCurrent(answer({ askedAt: MINUTE }), "q", 0)).toBe(false);
  });
});
