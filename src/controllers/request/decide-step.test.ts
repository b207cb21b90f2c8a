import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { StepStatus } from "../../crds/rollback-request.ts";
import { decide } from "./decide.ts";
import { isAbortAsked } from "./phase.ts";
import type { Situation } from "./situation.ts";
import {
  AFTER,
  anyPlannedStep,
  anyProgress,
  AT,
  NOW,
  PLAN,
  requestOf,
  SECOND,
  situationOf,
} from "./testing/situations.ts";

const step = (name: string) => ({
  name,
  timeout: "5m",
  workload: { kind: "Deployment" as const, name, to: { strategy: "Previous" as const } },
});
const SPEC = { steps: [step("app"), step("second")] };
const first: StepStatus = { name: "app", state: "Succeeded", startedAt: AT, finishedAt: AT, after: AFTER };
const on = { killSwitch: { kind: "On", message: "stopped" } } as const;
const abort = { annotations: { "rollback.llm-research-lab.io/abort": "true" } };

/** A request of two steps whose first is done. */
function betweenSteps(
  second: Partial<StepStatus> = {},
  known: Partial<Situation> = {},
  metadata: Parameters<typeof requestOf>[0] = {},
): Situation {
  const plan = { digest: "d", steps: [PLAN, SECOND] };
  const steps: StepStatus[] = [first, { name: "second", state: "Pending", ...second }];
  return situationOf(
    requestOf({
      ...metadata,
      spec: { ...SPEC, ...metadata.spec },
      status: { observedGeneration: -1, plan, steps },
    }),
    known,
  );
}

describe("a request of several steps", () => {
  it.each<readonly [string, Situation, object]>([
    ["plans the next step again", betweenSteps(), { kind: "Replan" }],
    [
      "announces it when it would do the very same",
      betweenSteps({}, { replanned: { kind: "Planned", plan: SECOND } }),
      { kind: "BeginStep", planned: SECOND },
    ],
    [
      "stops when it would do something else",
      betweenSteps({}, { replanned: { kind: "Planned", plan: { ...SECOND, digest: "other" } } }),
      {
        ending: { phase: "Failed", reason: "Superseded", message: expect.stringContaining("step app stays") },
      },
    ],
    [
      "skips it when the object is where it should be",
      betweenSteps({}, { replanned: { kind: "NothingToDo", message: "live already" } }),
      { kind: "SkipStep" },
    ],
    [
      "stops at a refusal, and says what stays",
      betweenSteps({}, { replanned: { kind: "Refused", reason: "Paused", message: "it is paused" } }),
      {
        ending: {
          phase: "Failed",
          reason: "Paused",
          message: "step second (2 of 2): it is paused; the change of step app stays",
        },
      },
    ],
    ["stops at the kill switch", betweenSteps({}, on), { ending: { phase: "Failed", reason: "KillSwitch" } }],
    [
      "stops at the deadline of the whole",
      betweenSteps({}, {}, { spec: { ...SPEC, deadline: "5s" } }),
      { ending: { reason: "DeadlineExceeded", message: expect.stringContaining("step app stays") } },
    ],
    [
      "aborted between two steps says what stays",
      betweenSteps({}, {}, { metadata: abort }),
      {
        ending: {
          phase: "Aborted",
          message: "step second (2 of 2): aborted before this step; the change of step app stays",
        },
      },
    ],
    [
      "changed by others before the second act has failed, since the first was made",
      betweenSteps(
        { state: "Applying", startedAt: AT },
        { progress: { kind: "Superseded", message: "somebody else" } },
      ),
      { ending: { phase: "Failed", reason: "Superseded" } },
    ],
    [
      "is verified when all are done",
      betweenSteps({ state: "Skipped", finishedAt: AT }),
      { kind: "Observe" },
    ],
  ])("%s", (_, situation, expected) => {
    expect(decide(situation, NOW)).toMatchObject(expected);
  });

  const anyBetween = fc
    .record({
      state: fc.constantFrom("Pending" as const, "Applying" as const, "Applied" as const),
      replanned: fc.option(anyPlannedStep, { nil: undefined }),
      progress: fc.option(anyProgress, { nil: undefined }),
      stopped: fc.boolean(),
      aborted: fc.boolean(),
    })
    .map(({ state, replanned, progress, stopped, aborted }) =>
      betweenSteps(
        state === "Pending" ? {} : { state, startedAt: AT },
        { replanned, progress, ...(stopped ? on : {}) },
        aborted ? { metadata: abort } : {},
      ),
    );

  it("never begins a step that is not what was planned, nor one that is stopped or aborted", () => {
    fc.assert(
      fc.property(anyBetween, (situation) => {
        const decision = decide(situation, NOW);
        if (decision.kind !== "BeginStep") return;
        expect(decision.planned.digest).toBe(SECOND.digest);
        expect(situation.killSwitch.kind).toBe("Off");
        expect(isAbortAsked(situation.request)).toBe(false);
      }),
    );
  });

  it("never says that nothing was changed once its first step was carried out", () => {
    fc.assert(
      fc.property(anyBetween, (situation) => {
        const decision = decide(situation, NOW);
        if (decision.kind !== "Finish") return;
        expect(decision.ending.phase).not.toBe("Superseded");
        expect(decision.ending.message).not.toMatch(/nothing was changed/);
        expect(decision.ending.message).toMatch(/stays?/);
      }),
    );
  });
});
