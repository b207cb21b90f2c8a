import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { countReadiness, goodFor, isCurrent, type RollbackReadiness } from "./readiness.ts";

const MINUTE = 60_000;

function answer(change: Partial<RollbackReadiness> = {}): RollbackReadiness {
  return {
    ready: true,
    reason: "Planned",
    message: "",
    target: "revision 1",
    question: "q",
    askedAt: 0,
    refusals: change.ready === false ? 1 : 0,
    firing: false,
    goodForMs: goodFor(1),
    ...change,
  };
}

describe("isCurrent", () => {
  it("is not without an answer, or to another question", () => {
    expect(isCurrent(undefined, "q", false, 0)).toBe(false);
    expect(isCurrent(answer(), "other", false, 0)).toBe(false);
  });

  it("holds a good answer for 45 to 75 minutes, the same for the same question", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (question) => {
        const good = answer({ question });
        expect(isCurrent(good, question, false, 0)).toBe(true);
        expect(isCurrent(good, question, false, 45 * MINUTE - 1)).toBe(true);
        expect(isCurrent(good, question, false, 75 * MINUTE)).toBe(false);
        const at = 60 * MINUTE;
        expect(isCurrent(good, question, false, at)).toBe(isCurrent({ ...good }, question, false, at));
      }),
    );
  });

  it("lets answers of many policies expire at different times", () => {
    const questions = Array.from({ length: 100 }, (_, index) => JSON.stringify([`uid-${index}`]));
    const alive = questions.filter((question) =>
      isCurrent(answer({ question }), question, false, 60 * MINUTE),
    );
    expect(alive.length).toBeGreaterThan(20);
    expect(alive.length).toBeLessThan(80);
  });

  it("asks at once when a row begins to fire and the answer was no, and then at least every six minutes", () => {
    const bad = answer({ ready: false, refusals: 8 });
    expect(isCurrent(bad, "q", false, MINUTE)).toBe(true);
    expect(isCurrent(bad, "q", true, MINUTE)).toBe(false);
    expect(isCurrent({ ...bad, firing: true }, "q", true, 3 * MINUTE)).toBe(true);
    expect(isCurrent({ ...bad, firing: true }, "q", true, 6.25 * MINUTE)).toBe(false);
    // A good answer made before the breach is good enough: asking would delay the rollback.
    expect(isCurrent(answer(), "q", true, MINUTE)).toBe(true);
  });

  it("does not trust an answer from the future", () => {
    expect(isCurrent(answer({ askedAt: MINUTE }), "q", false, 0)).toBe(false);
  });
});

describe("countReadiness", () => {
  const no = { ready: false, reason: "AccessDenied", message: "", target: undefined };

  /** How often a policy that ticks every 15 s asks in each of the first hours. */
  function asksPerHour(hours: number, question: string): readonly number[] {
    let known: RollbackReadiness | undefined;
    return Array.from({ length: hours }, (_, hour) => {
      let asks = 0;
      for (let now = hour * 60 * MINUTE; now < (hour + 1) * 60 * MINUTE; now += 15_000) {
        if (isCurrent(known, question, false, now)) continue;
        known = countReadiness(no, { question, firing: false, askedAt: now, goodForMs: goodFor(1) }, known);
        asks += 1;
      }
      return asks;
    });
  }

  it("asks ever more seldom while the answer stays no, at last about once in an hour", () => {
    for (const question of ["a", "b", "c", "d", "e"]) {
      const [first = 0, ...later] = asksPerHour(6, question);
      expect(first).toBeLessThanOrEqual(8);
      expect(Math.max(...later)).toBeLessThanOrEqual(2);
      expect(later.reduce((sum, asks) => sum + asks, 0)).toBeGreaterThanOrEqual(3);
    }
  });

  it("begins anew with another question, when a row begins to fire, and after a good answer", () => {
    const asked = { question: "q", firing: false, askedAt: 0, goodForMs: goodFor(1) };
    const third = answer({ ready: false, refusals: 3 });
    expect(countReadiness(no, asked, third).refusals).toBe(4);
    expect(countReadiness(no, { ...asked, question: "other" }, third).refusals).toBe(1);
    expect(countReadiness(no, { ...asked, firing: true }, third).refusals).toBe(1);
    expect(countReadiness({ ...no, ready: true }, asked, third).refusals).toBe(0);
    expect(countReadiness(no, asked, answer()).refusals).toBe(1);
  });
});

describe("goodFor", () => {
  it("is an hour for a few policies, and for a thousand so long that they cost one API call a second", () => {
    expect(goodFor(100)).toBe(60 * MINUTE);
    const callsOfAPlan = 14;
    expect((1_000 * callsOfAPlan) / (goodFor(1_000) / 1_000)).toBeLessThanOrEqual(1);
    expect(goodFor(100_000)).toBe(12 * 60 * MINUTE);
  });
});
