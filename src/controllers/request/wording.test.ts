import { describe, expect, it } from "@jest/globals";
import { AFTER, AT, PLAN, requestOf, SECOND } from "./testing/situations.ts";
import { backSentence, planSentence, stayingChanges, stepPrefix } from "./wording.ts";

describe("the words of a request", () => {
  it("name the revision that was asked for and the number that it got", () => {
    const request = requestOf({ step: { state: "Succeeded", after: AFTER } });

    expect(backSentence(request)).toBe("rolled back to revision 2, now revision 4 (web:v2)");
  });

  it("say each number once where it stayed", () => {
    const request = requestOf({ step: { state: "Succeeded", after: { ...AFTER, revision: 2 } } });

    expect(backSentence(request)).toBe("rolled back to revision 2 (web:v2)");
  });

  it("number the steps only where there are several", () => {
    expect(planSentence({ steps: [PLAN] })).toBe("Deployment/web revision 3 (web:v3) -> revision 2 (web:v2)");
    expect(planSentence({ steps: [PLAN, SECOND] })).toBe(
      "1. app: Deployment/web revision 3 (web:v3) -> revision 2 (web:v2); 2. second: Deployment/second revision 3 (web:v3) -> revision 2 (web:v2)",
    );
    expect(stepPrefix(requestOf({ step: {} }), 0)).toBe("");
  });

  it("tell which changes stay", () => {
    const done = { state: "Succeeded", startedAt: AT, after: AFTER } as const;
    const steps = [
      { name: "app", ...done },
      { name: "second", ...done },
    ];
    const plan = { digest: "d", steps: [PLAN, SECOND] };
    const both = requestOf({ status: { observedGeneration: -1, plan, steps } });

    expect(stayingChanges(requestOf({ step: {} }))).toBe("");
    expect(stayingChanges(requestOf({ step: done }))).toBe("; the change of step app stays");
    expect(stayingChanges(both)).toBe("; the changes of steps app, second stay");
    expect(stepPrefix(both, 1)).toBe("step second (2 of 2): ");
  });
});
