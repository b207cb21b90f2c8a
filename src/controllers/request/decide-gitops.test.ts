import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { HoldStatus } from "../../crds/gitops-hold.ts";
import { decide } from "./decide.ts";
import { hasOpenHolds, isFinished } from "./phase.ts";
import {
  anySituation,
  AT,
  HOLD,
  NOW,
  PLAN,
  requestOf,
  situationOf,
  WHOLE_PLAN,
} from "./testing/situations.ts";

function announced(state: HoldStatus["state"], known: Parameters<typeof situationOf>[1] = {}) {
  const request = requestOf({
    status: {
      observedGeneration: -1,
      phase: "Applying",
      plan: { ...WHOLE_PLAN, steps: [...WHOLE_PLAN.steps] },
      steps: [{ name: PLAN.name, state: "Applying", startedAt: AT }],
      holds: [{ ...HOLD, state }],
    },
  });
  return decide(situationOf(request, known), NOW);
}

describe("a request that stops a GitOps tool first", () => {
  it("sets the hold before it changes anything, and goes on once it stands", () => {
    expect(announced("Setting")).toEqual({ kind: "Hold" });
    expect(announced("Held")).toEqual({ kind: "Apply" });
  });

  it("waits while the hold is not seen to stand", () => {
    const holding = { kind: "Waiting", message: "waits for a sync", pollAfterMs: 500 } as const;

    expect(announced("Setting", { holding })).toMatchObject({
      kind: "Wait",
      phase: "Applying",
      reason: "Holding",
      message: "waits for a sync",
      afterMs: 500,
    });
  });

  it("ends without a change when the hold cannot be set", () => {
    expect(announced("Setting", { holding: { kind: "Refused", message: "gone" } })).toMatchObject({
      kind: "Finish",
      ending: {
        phase: "Failed",
        reason: "HoldFailed",
        message: expect.stringContaining("nothing was changed"),
      },
    });
  });

  it("sets nothing while the kill switch is on", () => {
    const killSwitch = { kind: "On", message: "stopped" } as const;

    expect(announced("Setting", { killSwitch }).kind).toBe("Observe");
  });

  it("never changes anything while a hold is announced and not set, whatever else is so", () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const { request } = situation;
        const held = {
          ...request,
          status: {
            ...request.status,
            observedGeneration: -1,
            holds: [{ ...HOLD, state: "Setting" as const }],
          },
        };
        fc.pre(hasOpenHolds(held) && !isFinished(held));

        expect(decide({ ...situation, request: held }, NOW).kind).not.toBe("Apply");
      }),
    );
  });
});
