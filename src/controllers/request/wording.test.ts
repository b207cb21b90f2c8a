import { describe, expect, it } from "@jest/globals";
import { AFTER, AT, FROM, PLAN, requestOf, SECOND, TO } from "./testing/situations.ts";
import { backSentence, endText, planSentence, stayingChanges, stepPrefix, stepSentence } from "./wording.ts";

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

  it("tell what was raised for a step that did not get to its act", () => {
    const raised = { change: "Replicas", objectUid: "u", during: 2, restore: 0, holdFor: "1h" } as const;
    const temporary = [
      { ...raised, object: "Deployment/blue", found: 0 },
      { ...raised, object: "Deployment/green", found: 2 },
    ];
    const plan = { digest: "d", steps: [{ ...PLAN, temporary }] };
    const steps = [{ name: "app", state: "Applying" } as const];

    expect(stayingChanges(requestOf({ status: { observedGeneration: -1, plan, steps } }))).toBe(
      "; what was raised for it is put back by itself: Deployment/blue (2 replicas)",
    );
  });
});

const traffic = (host: string, subset?: string) => ({
  traffic: {
    destination: { host, subset },
    routes: [{ object: "VirtualService/web", uid: "u", digest: host }],
  },
});
const BLUE = { color: "blue", workload: "Deployment/web-blue", pods: 3 };
const RESTART = { restartedAt: "2026-01-01T00:00:00Z", templateDigest: "t" };

describe("how a step reads", () => {
  it.each([
    [TO, "revision 2 (web:v2)"],
    [{ replicas: 0 }, "0 replicas"],
    [{ replicas: 1 }, "1 replica"],
    [RESTART, "restarted"],
    [{ ...TO, ...RESTART }, "revision 2 (web:v2)"],
    [BLUE, "color blue (Deployment/web-blue)"],
    [{ ...traffic("web", "v1"), replicas: 0 }, "traffic to web (subset v1)"],
    [{}, "unknown"],
  ])("%j is %s", (end, text) => {
    expect(endText(end)).toBe(text);
  });

  it.each([
    [PLAN, "Deployment/web revision 3 (web:v3) -> revision 2 (web:v2)"],
    [{ ...PLAN, from: { replicas: 3 }, to: { replicas: 0 } }, "Deployment/web 3 replicas -> 0 replicas"],
    [
      { ...PLAN, from: { ...FROM, templateDigest: "t" }, to: RESTART },
      "Deployment/web revision 3 (web:v3) -> restarted",
    ],
    [{ ...PLAN, nothingToDo: "it is there" }, "Deployment/web (nothing to do: it is there)"],
  ])("as a whole", (step, text) => {
    expect(stepSentence(step)).toBe(text);
  });

  it.each([
    [TO, "rolled back to revision 2 (web:v2)"],
    [{ replicas: 0 }, "scaled to 0 replicas"],
    [{ ...TO, ...RESTART }, "restarted, now revision 2 (web:v2)"],
    [BLUE, "Deployment/web has color blue (Deployment/web-blue)"],
  ])("when it is done: %j", (after, text) => {
    expect(backSentence(requestOf({ step: { state: "Succeeded", after } }))).toBe(text);
  });
});
