import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { PlannedStep, RollbackRequestSpec, StepStatus } from "../../crds/rollback-request.ts";
import { RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { decide } from "./decide.ts";
import { isAbortAsked } from "./phase.ts";
import type { Situation } from "./situation.ts";
import { AFTER, anyProgress, AT, FROM, NOW, PLAN, requestOf, situationOf, TO } from "./testing/situations.ts";

const step = (name: string, object = name) => ({
  name,
  timeout: "5m",
  workload: { kind: "Deployment" as const, name: object, to: { strategy: "Previous" as const } },
});
const planOf = (name: string, object = name): PlannedStep => ({
  ...PLAN,
  name,
  digest: `d-${name}`,
  object: `Deployment/${object}`,
});
const done = (name: string): StepStatus => ({
  name,
  state: "Succeeded",
  startedAt: AT,
  appliedAt: AT,
  finishedAt: AT,
  before: FROM,
  after: AFTER,
});
const superseded = { kind: "Superseded", message: "somebody else" } as const;
const stuck = { kind: "Failed", reason: "Stuck", message: "no pods" } as const;
const on = { killSwitch: { kind: "On", message: "stopped" } } as const;
const abort = { annotations: { "rollback.llm-research-lab.io/abort": "true" } };

type OnFailure = RollbackRequestSpec["onFailure"];

interface Third {
  readonly onFailure?: OnFailure;
  readonly third?: Partial<StepStatus>;
  readonly known?: Partial<Situation>;
  readonly request?: Parameters<typeof requestOf>[0];
}

/** A request of three steps whose first two are done. */
function inThird({ onFailure = "Compensate", third, known, request }: Third): Situation {
  const steps = [step("first"), step("second"), step("third")];
  return situationOf(
    requestOf({
      ...request,
      spec: { steps, onFailure, ...request?.spec },
      status: {
        observedGeneration: -1,
        plan: { digest: "d", steps: [planOf("first"), planOf("second"), planOf("third")] },
        steps: [done("first"), done("second"), { name: "third", state: "Applying", startedAt: AT, ...third }],
      },
    }),
    known,
  );
}

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
