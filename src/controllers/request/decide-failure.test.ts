import { describe, expect, it } from "@jest/globals";
import { RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { decide } from "./decide.ts";
import type { Situation } from "./situation.ts";
import { AFTER, AT, FROM, NOW, requestOf, situationOf, TO } from "./testing/situations.ts";
import { abort, done, inThird, on, planOf, step, stuck, superseded } from "./testing/three-steps.ts";

const undos = (...names: readonly string[]) =>
  names.map((undoes) => ({
    undoes,
    planned: {
      name: `undo-${undoes}`,
      object: `Deployment/${undoes}`,
      from: undoes === "third" ? { uid: TO.uid } : AFTER,
      to: FROM,
    },
  }));

describe("a step that fails after others were carried out", () => {
  it.each<readonly [string, Situation, object]>([
    [
      "ends the request where it says Stop",
      inThird({ onFailure: "Stop", known: { progress: stuck } }),
      {
        ending: {
          phase: "Failed",
          message: expect.stringContaining("the changes of steps first, second stay"),
        },
      },
    ],
    [
      "has all of them undone in reverse where it says Compensate",
      inThird({ known: { progress: stuck } }),
      { kind: "Compensate", state: "Failed", failure: { reason: "Stuck" }, undos: undos("second", "first") },
    ],
    [
      "because somebody else changed its object: the same",
      inThird({ known: { progress: superseded } }),
      { kind: "Compensate", state: "Superseded", undos: undos("second", "first") },
    ],
    [
      "before it began: the same",
      inThird({
        third: { state: "Pending", startedAt: undefined },
        known: { replanned: { kind: "Refused", reason: "Paused", message: "it is paused" } },
      }),
      { kind: "Compensate", failure: { reason: "Paused", message: "it is paused" } },
    ],
    [
      "after its own change was stored has that undone first",
      inThird({ third: { state: "Applied", appliedAt: AT }, known: { progress: stuck } }),
      { kind: "Compensate", undos: undos("third", "second", "first") },
    ],
    [
      "by its timeout, its change stored by a try that nobody recorded, has that undone first",
      inThird({
        third: { startedAt: "2026-01-01T00:00:00.000Z" },
        known: { progress: { kind: "InProgress", message: "0/2", pollAfterMs: 1 } },
      }),
      { kind: "Compensate", failure: { reason: "Stuck" }, undos: undos("third", "second", "first") },
    ],
    [
      "by the deadline of the request: the same",
      inThird({
        request: { spec: { deadline: "5s" } },
        third: { state: "Pending", startedAt: undefined },
      }),
      { kind: "Compensate", failure: { reason: "DeadlineExceeded" }, undos: undos("second", "first") },
    ],
    [
      "has nothing undone by the kill switch",
      inThird({ known: { progress: superseded, ...on } }),
      { ending: { phase: "Failed", reason: "KillSwitch", message: expect.stringContaining("stay") } },
    ],
    [
      "has nothing undone by an abort",
      inThird({ known: { progress: superseded }, request: { metadata: abort } }),
      { ending: { phase: "Aborted", message: expect.stringContaining("stay") } },
    ],
    [
      "is passed over where it says Continue",
      inThird({ onFailure: "Continue", known: { progress: stuck } }),
      { kind: "FailStep", state: "Failed", failure: { reason: "Stuck", message: "no pods" } },
    ],
    [
      "by the deadline of the request is the end where it says Continue",
      inThird({ onFailure: "Continue", request: { spec: { deadline: "5s" } }, third: { state: "Pending" } }),
      { ending: { reason: "DeadlineExceeded" } },
    ],
  ])("%s", (_, situation, expected) => {
    expect(decide(situation, NOW)).toMatchObject(expected);
  });

  it("alone and without a change of its own leaves nothing to undo", () => {
    const request = requestOf({ spec: { onFailure: "Compensate" }, step: {} });

    expect(decide(situationOf(request, { progress: superseded }), NOW)).toMatchObject({
      ending: { phase: "Superseded", message: expect.stringContaining("nothing was changed") },
    });
    const stored = requestOf({
      spec: { onFailure: "Compensate" },
      step: { state: "Applied", appliedAt: AT },
    });
    expect(decide(situationOf(stored, { progress: stuck }), NOW)).toMatchObject({
      kind: "Compensate",
      undos: [{ undoes: "app", planned: { name: "undo-app" } }],
    });
  });
});

describe("going on beside a failure", () => {
  const failed = { state: "Failed", startedAt: AT, finishedAt: AT, message: "no pods" } as const;
  const passed = { kind: "Done", message: "2/2", after: AFTER } as const;
  const checks = (outcome: "Passed" | "Failed" | "Pending") => ({
    checks: [{ name: "pods", outcome, value: "2/2 ready", verdicts: 3 }],
    endAt: NOW,
    nextAt: NOW,
  });
  const continued = (known: Partial<Situation> = {}) =>
    inThird({ onFailure: "Continue", third: failed, known });

  it.each<readonly [string, Situation, object]>([
    ["verifies what was changed", continued(), { kind: "Observe" }],
    [
      "ends Failed though that helped",
      continued({ progress: passed, verification: checks("Passed") }),
      {
        ending: {
          phase: "Failed",
          reason: "StepFailed",
          message: expect.stringMatching(
            /^step third failed: no pods; of the other steps: .* and verified: pods/,
          ),
          verified: { status: "Unknown" },
        },
      },
    ],
    [
      "says that it did not help",
      continued({ progress: passed, verification: checks("Failed") }),
      {
        ending: {
          phase: "Failed",
          reason: "VerificationFailed",
          message: expect.stringContaining("step third failed"),
          verified: { status: "False" },
        },
      },
    ],
  ])("%s", (_, situation, expected) => {
    expect(decide(situation, NOW)).toMatchObject(expected);
  });

  it("does not touch the object of a step that failed", () => {
    const more = { scale: { kind: "Deployment" as const, name: "first", replicas: 3 } };
    const plan = { action: "scale", from: { replicas: 2 }, to: { replicas: 3 } };
    const request = requestOf({
      spec: { onFailure: "Continue", steps: [step("first"), { name: "more", timeout: "5m", ...more }] },
      status: {
        observedGeneration: -1,
        plan: { digest: "d", steps: [planOf("first"), { ...planOf("more", "first"), ...plan }] },
        steps: [
          { ...done("first"), state: "Failed" },
          { name: "more", state: "Pending" },
        ],
      },
    });

    expect(decide(situationOf(request), NOW)).toMatchObject({
      kind: "FailStep",
      failure: { message: "not carried out, since step first on the same object failed" },
    });
  });
});

it("a verification that fails has nothing undone", () => {
  const { request } = inThird({ third: { state: "Succeeded", after: AFTER } });
  const verification = {
    checks: [{ name: "pods", outcome: "Failed" as const, value: "0/2 ready", verdicts: 1 }],
    endAt: NOW,
    nextAt: NOW,
  };
  const progress = { kind: "Done", message: "2/2", after: AFTER } as const;

  expect(decide(situationOf(request, { progress, verification }), NOW)).toMatchObject({
    kind: "Finish",
    ending: { phase: "Failed", reason: "VerificationFailed" },
  });
});

describe("a way back", () => {
  it("has a name that the schema allows, also where somebody took it", () => {
    const long = "x".repeat(62);
    const names = [long, "a", "undo-a"];
    const steps = names.map((name) => step(name, name.slice(0, 8)));
    const request = requestOf({
      spec: { steps, onFailure: "Compensate" },
      status: {
        observedGeneration: -1,
        plan: { digest: "d", steps: names.map((name) => planOf(name, name.slice(0, 8))) },
        steps: [done(long), done("a"), { ...done("undo-a"), state: "Applied" }],
      },
    });

    const decision = decide(situationOf(request, { progress: stuck }), NOW);

    const taken = decision.kind === "Compensate" ? decision.undos.map(({ planned }) => planned) : [];
    expect(taken.map(({ name }) => name)).toEqual(["undo-undo-a", "undo-a-2", `undo-${"x".repeat(58)}`]);
    const plan = { digest: "d", steps: taken };
    expect(RollbackRequestStatus.parse({ plan })).toEqual({ plan });
  });
});
