import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { StepStatus } from "../../crds/rollback-request.ts";
import { decide } from "./decide.ts";
import { isAbortAsked } from "./phase.ts";
import type { Situation } from "./situation.ts";
import {
  AFTER,
  anyProgress,
  AT,
  FROM,
  NOW,
  PLAN,
  type requestOf,
  situationOf,
} from "./testing/situations.ts";
import { abort, inThird, on, planOf, stuck, superseded } from "./testing/three-steps.ts";

/** The same request while it undoes: the state of `undo-second`, then of `undo-first`. */
function undoing(
  second: Partial<StepStatus>,
  first: Partial<StepStatus> = {},
  known: Partial<Situation> = {},
  request: Parameters<typeof requestOf>[0] = {},
): Situation {
  const before = inThird({ third: { state: "Failed", finishedAt: AT, message: "no pods" }, request });
  const { status } = before.request;
  const plans = ["second", "first"].map((name) => ({
    ...planOf(`undo-${name}`, name),
    from: AFTER,
    to: FROM,
  }));
  return situationOf(
    {
      ...before.request,
      status: {
        ...status,
        plan: { digest: "d", steps: [...(status?.plan?.steps ?? []), ...plans] },
        steps: [
          ...(status?.steps ?? []),
          { name: "undo-second", undoes: "second", state: "Pending", ...second },
          { name: "undo-first", undoes: "first", state: "Pending", ...first },
        ],
        compensating: { reason: "Stuck", message: "step third (3 of 3): no pods", since: AT },
      },
    },
    known,
  );
}

const undone = { state: "Succeeded", finishedAt: AT } as const;

describe("undoing", () => {
  it.each<readonly [string, Situation, object]>([
    ["asks for the rights first", undoing({}), { kind: "Replan" }],
    [
      "begins with the way back as it is then, whatever its digest",
      undoing(
        {},
        {},
        { replanned: { kind: "Planned", plan: { ...PLAN, name: "undo-second", digest: "new" } } },
      ),
      { kind: "BeginStep", planned: { digest: "new" } },
    ],
    [
      "goes on with the next one where an object was changed by somebody else",
      undoing({ state: "Applying", startedAt: AT }, {}, { progress: superseded }),
      { kind: "FailStep", state: "Superseded", failure: { message: "somebody else" } },
    ],
    [
      "goes on with the next one where a right is missing",
      undoing({}, {}, { replanned: { kind: "Refused", reason: "AccessDenied", message: "may not patch" } }),
      { kind: "FailStep", state: "Failed" },
    ],
    [
      "goes on with the next one where it takes too long",
      undoing(
        { state: "Applied", startedAt: "2026-01-01T00:00:00.000Z" },
        {},
        { progress: { kind: "InProgress", message: "0/2", pollAfterMs: 1, after: AFTER } },
      ),
      { kind: "Record" },
    ],
    [
      "waits for one that was done",
      undoing(undone, { state: "Applied", startedAt: AT }),
      { kind: "Observe" },
    ],
    [
      "has the deadline once more, and ends with it",
      undoing(undone, {}, {}, { spec: { deadline: "5s" } }),
      {
        ending: {
          phase: "Failed",
          reason: "DeadlineExceeded",
          message:
            "undoing step first (2 of 2): the deadline of 5s passed; not undone: step first; " +
            "it was undoing its steps since step third (3 of 3): no pods",
        },
      },
    ],
    [
      "ends at the kill switch, and says what is not undone",
      undoing({}, {}, on),
      {
        ending: {
          reason: "KillSwitch",
          message: expect.stringContaining("not undone: steps second, first;"),
        },
      },
    ],
    [
      "ends by an abort, and says what is not undone",
      undoing(undone, {}, {}, { metadata: abort }),
      {
        ending: {
          phase: "Aborted",
          message: expect.stringMatching(
            /^undoing step first \(2 of 2\): aborted before this step; not undone: step first;/,
          ),
        },
      },
    ],
    [
      "aborted after an undo was stored says so",
      undoing(
        undone,
        { state: "Applied", startedAt: AT, after: FROM },
        { progress: stuck },
        { metadata: abort },
      ),
      {
        ending: {
          phase: "Aborted",
          message: expect.stringContaining("after the undo was stored, which stays"),
        },
      },
    ],
    [
      "ends Compensated when all is undone, and says what to do next",
      undoing(undone, undone),
      {
        ending: {
          phase: "Compensated",
          message: expect.stringMatching(
            /^step third \(3 of 3\): no pods; undone: steps second, first; .* make a new request/,
          ),
        },
      },
    ],
    [
      "is not aborted any more then",
      undoing(undone, undone, {}, { metadata: abort }),
      { ending: { phase: "Compensated" } },
    ],
    [
      "ends Failed when something could not be undone, and names it",
      undoing({ state: "Superseded", message: "Deployment/second was changed by somebody else" }, undone),
      {
        ending: {
          phase: "Failed",
          reason: "Stuck",
          message:
            "step third (3 of 3): no pods; undone: step first; not undone: " +
            "step second (left alone, Deployment/second was changed by somebody else): look at these objects by hand",
        },
      },
    ],
    [
      "does not go by an undo that somebody wrote into the status",
      undoing({}, { undoes: "nothing" }),
      { ending: { phase: "Failed", message: expect.stringContaining("edited by hand") } },
    ],
  ])("%s", (_, situation, expected) => {
    expect(decide(situation, NOW)).toMatchObject(expected);
  });

  const state = fc.constantFrom(
    "Pending" as const,
    "Applying" as const,
    "Applied" as const,
    "Succeeded" as const,
    "Failed" as const,
    "Superseded" as const,
  );
  const anyUndoing = fc
    .record({
      second: state,
      first: state,
      progress: fc.option(anyProgress, { nil: undefined }),
      isPlanned: fc.boolean(),
      stopped: fc.boolean(),
      aborted: fc.boolean(),
    })
    .map(({ second, first, progress, isPlanned, stopped, aborted }) =>
      undoing(
        { state: second, startedAt: AT },
        { state: first, startedAt: AT },
        {
          progress,
          replanned: isPlanned ? { kind: "Planned", plan: PLAN } : undefined,
          ...(stopped ? on : {}),
        },
        aborted ? { metadata: abort } : {},
      ),
    );

  it("never begins when stopped or aborted, never undoes twice, never ends Compensated with something left", () => {
    fc.assert(
      fc.property(anyUndoing, (situation) => {
        const { request, killSwitch } = situation;
        const decision = decide(situation, NOW);
        expect(["Compensate", "Announce", "Plan", "Verify"]).not.toContain(decision.kind);
        if (decision.kind === "BeginStep" || decision.kind === "Apply") {
          expect([killSwitch.kind, isAbortAsked(request)]).toEqual(["Off", false]);
        }
        if (decision.kind !== "Finish") return;
        const states = request.status?.steps?.slice(3).map((each) => each.state);
        const isAll = states?.every((each) => each === "Succeeded") === true;
        expect(decision.ending.phase === "Compensated").toBe(isAll);
      }),
      { numRuns: 2_000 },
    );
  });
});
