import { describe, expect, it } from "@jest/globals";
import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import type { StepStatus } from "../../crds/rollback-request.ts";
import type { HoldLook } from "../../gitops/end-hold.ts";
import { AFTER, AT, HOLD, PLAN, requestOf, WHOLE_PLAN } from "../request/testing/situations.ts";
import { decideHold } from "./decide-hold.ts";
import { persistedOf, type HoldOutcome } from "./persisted.ts";

const DONE: StepStatus = { name: PLAN.name, state: "Succeeded", startedAt: AT, appliedAt: AT, after: AFTER };
const UNTOUCHED: StepStatus = { name: PLAN.name, state: "Failed", startedAt: AT };

function finished(step: StepStatus, annotations: Readonly<Record<string, string>> = {}) {
  return requestOf({
    metadata: { annotations },
    status: {
      observedGeneration: 1,
      phase: step.state === "Succeeded" ? "Succeeded" : "Failed",
      plan: { ...WHOLE_PLAN, steps: [...WHOLE_PLAN.steps] },
      steps: [step],
    },
  });
}

const stands = (agreement: "Agrees" | "Differs" | "Unknown"): HoldLook => ({ kind: "Stands", agreement });
const decided = (look: HoldLook, request = finished(DONE), namespaceTerminates = false) =>
  decideHold({ request, hold: HOLD, look, namespaceTerminates });

describe("a hold of a finished request", () => {
  it("stays while Git wants another version, and while that is not known", () => {
    expect(decided(stands("Differs"))).toMatchObject({ kind: "Keep", agreement: "Differs" });
    expect(decided(stands("Unknown"))).toMatchObject({
      kind: "Keep",
      agreement: "Unknown",
      message: expect.stringContaining('"kubectl-rollback release '),
    });
  });

  it("ends when Git wants what is live, or when a person says so", () => {
    const asked = finished(DONE, { [REQUEST_ANNOTATIONS.release]: "true" });

    expect(decided(stands("Agrees"))).toEqual({ kind: "End", reason: "GitAgrees" });
    expect(decided(stands("Differs"), asked)).toEqual({ kind: "End", reason: "Released" });
    expect(decided(stands("Differs"), finished(DONE, { [REQUEST_ANNOTATIONS.release]: "no" })).kind).toBe(
      "Keep",
    );
  });

  it("ends with a request that changed nothing: Git and cluster are as they were", () => {
    expect(decided(stands("Differs"), finished(UNTOUCHED))).toEqual({
      kind: "End",
      reason: "NothingChanged",
    });
  });

  it("ends with its namespace", () => {
    expect(decided(stands("Differs"), finished(DONE), true)).toEqual({
      kind: "End",
      reason: "NamespaceTerminating",
    });
  });

  it("is over where there is nothing to put back", () => {
    expect(decided({ kind: "Gone", message: "gone" })).toMatchObject({ kind: "Close", state: "Released" });
    expect(decided({ kind: "NotSet" })).toMatchObject({ kind: "Close", state: "Released" });
    expect(decided({ kind: "Lost", message: "taken" })).toMatchObject({ kind: "Close", state: "Lost" });
  });

  it("that was ended before a crash is closed for the same reason", () => {
    const asked = finished(DONE, { [REQUEST_ANNOTATIONS.release]: "true" });
    const restored = (agreement: "Agrees" | "Differs"): HoldLook => ({ kind: "Restored", agreement });

    expect(decided(restored("Differs"), asked)).toMatchObject({ kind: "Close", reason: "Released" });
    expect(decided(restored("Agrees"))).toMatchObject({ kind: "Close", reason: "GitAgrees" });
    expect(decided(restored("Differs"), finished(UNTOUCHED))).toMatchObject({ reason: "NothingChanged" });
    // Nobody asked, and Git does not agree: somebody else wrote the whole object again.
    expect(decided(restored("Differs"))).toMatchObject({ state: "Lost", reason: "HoldLost" });
  });
});

describe("condition Persisted", () => {
  const keep = (agreement: "Differs" | "Unknown"): HoldOutcome => ({
    hold: HOLD,
    keep: { agreement, message: agreement },
  });
  const ended = (endReason: string): HoldOutcome => ({
    hold: { ...HOLD, state: "Released", endReason, message: endReason },
  });

  it("is the worst of all holds", () => {
    expect(persistedOf([ended("GitAgrees"), keep("Differs")])).toEqual({
      status: "False",
      reason: "GitDiffers",
      message: "Differs",
    });
    expect(persistedOf([ended("GitAgrees"), keep("Unknown")])).toMatchObject({ status: "Unknown" });
    expect(persistedOf([ended("GitAgrees")])).toMatchObject({ status: "True", reason: "GitAgrees" });
  });

  it("does not claim that a rollback lasts which a person gave up", () => {
    expect(persistedOf([ended("Released")])).toMatchObject({ status: "Unknown", reason: "Released" });
  });
});
