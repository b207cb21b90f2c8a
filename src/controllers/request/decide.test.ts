import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { isAbortAsked, isFinished } from "./phase.ts";
import type { Situation } from "./situation.ts";
import { AFTER, anySituation, NOW, PLAN, requestOf, situationOf, WHOLE_PLAN } from "./testing/situations.ts";

const planned = { plan: { kind: "Planned", plan: WHOLE_PLAN } } as const;
const held = { ...planned, lock: { kind: "Held" } } as const;
const on = { killSwitch: { kind: "On", message: "stopped" } } as const;
const superseded = { progress: { kind: "Superseded", message: "somebody else" } } as const;
const unreadable = { progress: { kind: "Unreadable", message: "no right" } } as const;
const inProgress = { progress: { kind: "InProgress", message: "1/2 updated", pollAfterMs: 1_000 } } as const;
const stuck = {
  progress: { kind: "InProgress", message: "1/2 updated", pollAfterMs: 1_000, needsAdvance: true },
} as const;
const done = { progress: { kind: "Done", message: "2/2 updated", after: AFTER } } as const;
const abort = { annotations: { "rollback.llm-research-lab.io/abort": "true" } };
const expired = "2026-01-01T00:00:00.000Z";

const checks = (...outcomes: ("Pending" | "Passed" | "Failed" | "Inconclusive")[]) => ({
  ...done,
  verification: {
    checks: outcomes.map((outcome, index) => ({ name: `c${index}`, outcome, value: "v", verdicts: 3 })),
    endAt: NOW + 60_000,
    nextAt: NOW + 1_000,
  },
});

/** What the journal says of the one step. */
function stateOf({ request }: Situation) {
  return request.status?.steps?.[0]?.state;
}

function ending(phase: string, reason: string, message: RegExp = /./) {
  return { kind: "Finish", ending: { phase, reason, message: expect.stringMatching(message) } };
}

describe("what to do next", () => {
  it.each<readonly [string, Situation, object]>([
    ["a new request is planned", situationOf(requestOf()), { kind: "Plan" }],
    ["a plan takes the lock", situationOf(requestOf(), planned), { kind: "TakeLock" }],
    [
      "under the lock it is announced",
      situationOf(requestOf(), held),
      { kind: "Announce", plan: WHOLE_PLAN },
    ],
    ["announced, it is applied", situationOf(requestOf({ step: {} })), { kind: "Apply" }],
    ["applied, it is watched", situationOf(requestOf({ step: { state: "Applied" } })), { kind: "Observe" }],
    [
      "a change that does not get further by itself gets the next write",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER } }), stuck),
      { kind: "Advance", progress: stuck.progress },
    ],
    [
      "but not while the kill switch is on",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER } }), { ...on, ...stuck }),
      { kind: "Wait", reason: "KillSwitch", message: "1/2 updated; stopped" },
    ],
    [
      "nor past its time",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER, startedAt: expired } }), stuck),
      ending("Failed", "Stuck"),
    ],
    [
      "nor after an abort",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER }, metadata: abort }), stuck),
      ending("Aborted", "Aborted", /the change was stored, which stays/),
    ],
    [
      "what it became is recorded before anything else",
      situationOf(requestOf({ step: { state: "Applied" } }), done),
      { kind: "Record", after: AFTER },
    ],
    [
      "then the step is complete",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER } }), done),
      { kind: "CompleteStep" },
    ],
    [
      "a verification looks whether it is still our version",
      situationOf(requestOf({ step: { state: "Succeeded", after: AFTER } })),
      { kind: "Observe" },
    ],
    [
      "and takes samples then",
      situationOf(requestOf({ step: { state: "Succeeded", after: AFTER } }), done),
      { kind: "Verify" },
    ],
    [
      "another version during the verification",
      situationOf(requestOf({ step: { state: "Succeeded", after: AFTER } }), superseded),
      ending("Failed", "Superseded"),
    ],
    [
      "a busy target is waited for",
      situationOf(requestOf(), {
        ...planned,
        lock: { kind: "Busy", holder: { namespace: "shop", name: "other", uid: "u" } },
      }),
      { kind: "Wait", phase: "Pending", reason: "TargetBusy" },
    ],
    [
      "a dry run ends with its plan, without a lock",
      situationOf(requestOf({ spec: { dryRun: true } }), planned),
      ending("Succeeded", "DryRun", /revision 3 \(web:v3\) -> revision 2 \(web:v2\)/),
    ],
    ["the kill switch refuses", situationOf(requestOf(), on), ending("Failed", "KillSwitch", /^refused/)],
    [
      "an unreadable switch lets people act",
      situationOf(requestOf(), { killSwitch: { kind: "Unreadable", message: "?" } }),
      { kind: "Plan" },
    ],
    [
      "the kill switch after the announcement: first it is seen what a try before a crash stored",
      situationOf(requestOf({ step: {} }), on),
      { kind: "Observe" },
    ],
    [
      "nothing was stored",
      situationOf(requestOf({ step: {} }), { ...on, ...superseded }),
      ending("Failed", "KillSwitch", /nothing was changed/),
    ],
    [
      "it was stored: it goes on to its end without a write",
      situationOf(requestOf({ step: { after: AFTER } }), { ...on, ...done }),
      { kind: "CompleteStep" },
    ],
    [
      "changed by others before the act",
      situationOf(requestOf({ step: {} }), superseded),
      ending("Superseded", "Superseded", /nothing was changed by this request/),
    ],
    [
      "changed by others after the act",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER } }), superseded),
      ending("Failed", "Superseded"),
    ],
    [
      "the step's timeout",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER, startedAt: expired } }), inProgress),
      ending("Failed", "Stuck", /timeout of 5m: 1\/2 updated/),
    ],
    [
      "the deadline, where it is shorter",
      situationOf(
        requestOf({ spec: { deadline: "1m" }, step: { state: "Applied", after: AFTER, startedAt: expired } }),
        inProgress,
      ),
      ending("Failed", "DeadlineExceeded", /deadline of 1m/),
    ],
    [
      "lost rights are waited for",
      situationOf(requestOf({ step: { state: "Applied", after: AFTER } }), unreadable),
      { kind: "Wait", phase: "Applying", reason: "AccessDenied" },
    ],
    [
      "but not beyond the timeout",
      situationOf(requestOf({ step: { state: "Applied", startedAt: expired } }), unreadable),
      ending("Failed", "Stuck", /no right/),
    ],
    [
      "an abort before the act",
      situationOf(requestOf({ metadata: abort })),
      ending("Aborted", "Aborted", /before anything was changed/),
    ],
    [
      "an abort looks first what is stored",
      situationOf(requestOf({ metadata: abort, step: {} })),
      { kind: "Observe" },
    ],
    [
      "an abort records what is stored",
      situationOf(requestOf({ metadata: abort, step: { state: "Applied" } }), {
        progress: { ...inProgress.progress, after: AFTER },
      }),
      { kind: "Record", after: AFTER },
    ],
    [
      "an abort waits until it has a number",
      situationOf(requestOf({ metadata: abort, step: { state: "Applied" } }), inProgress),
      { kind: "Wait", reason: "Aborted" },
    ],
    [
      "an abort with the change stored",
      situationOf(requestOf({ metadata: abort, step: { state: "Applied", after: AFTER } }), inProgress),
      ending("Aborted", "Aborted", /after the change was stored, which stays/),
    ],
    [
      "an abort of a try that stored nothing",
      situationOf(requestOf({ metadata: abort, step: {} }), superseded),
      ending("Aborted", "Aborted", /before anything was changed/),
    ],
    [
      "an abort that cannot look does not hang",
      situationOf(requestOf({ metadata: abort, step: {} }), unreadable),
      ending("Aborted", "Aborted", /not known/),
    ],
    [
      "a controller that lags is waited for",
      situationOf(requestOf(), { plan: { kind: "Pending", message: "lags", pollAfterMs: 250 } }),
      { kind: "Wait", phase: "Planning" },
    ],
    [
      "but not for ever",
      situationOf(requestOf({ metadata: { creationTimestamp: "2026-01-01T00:00:00Z" } }), {
        plan: { kind: "Pending", message: "lags", pollAfterMs: 250 },
      }),
      ending("Failed", "Stuck", /for longer than 1m/),
    ],
    [
      "a request that waited its turn for longer than that may wait for it too",
      situationOf(
        requestOf({
          metadata: { creationTimestamp: "2026-01-01T00:00:00Z" },
          status: {
            plan: { digest: "d", steps: [PLAN] },
          },
        }),
        { plan: { kind: "Pending", message: "lags", pollAfterMs: 250 } },
      ),
      { kind: "Wait", phase: "Planning" },
    ],
  ])("%s", (_, situation, expected) => {
    expect(decide(situation, NOW)).toMatchObject(expected);
  });

  it.each([
    [checks("Passed", "Passed"), "Succeeded", "True"],
    [checks("Passed", "Inconclusive"), "Succeeded", "Unknown"],
    [checks(), "Succeeded", "Unknown"],
    [checks("Passed", "Failed", "Pending"), "Failed", "False"],
  ])("ends a verification, and never says verified without proof", (known, phase, verified) => {
    const request = requestOf({ step: { state: "Succeeded", after: AFTER } });

    expect(decide(situationOf(request, known), NOW)).toMatchObject({
      kind: "Finish",
      ending: { phase, verified: { status: verified } },
    });
  });

  it("refuses one out of Git that does not say what is to go away", () => {
    const labels = {
      "kustomize.toolkit.fluxcd.io/name": "apps",
      "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    };
    const decided = (spec: Parameters<typeof requestOf>[0] = {}) =>
      decide(situationOf(requestOf({ metadata: { labels }, ...spec })), NOW);

    expect(decided()).toMatchObject(ending("Failed", "ExpectRequired", /Kustomization flux-system\/apps/));
    expect(decided({ spec: { expect: { podTemplateHash: "h3" } } }).kind).toBe("Plan");
    expect(decide(situationOf(requestOf()), NOW).kind).toBe("Plan");
  });

  it("repeats the recorded outcome of a twin", () => {
    const twin = { name: "undo", uid: "old", specDigest: "s", at: "T" } as const;
    const decided = (outcome: "Started" | "Succeeded" | "Failed" | "Aborted") =>
      decide(situationOf(requestOf(), { twin: { ...twin, outcome } }), NOW);

    expect(decided("Succeeded")).toMatchObject(ending("Succeeded", "AlreadyExecuted", /ran at T as old/));
    const overtaken = {
      ...twin,
      outcome: "Succeeded",
      overtakenBy: "since then revision 9 was released",
    } as const;
    expect(decide(situationOf(requestOf(), { twin: overtaken }), NOW)).toMatchObject(
      ending(
        "Superseded",
        "AlreadyExecuted",
        /ended Succeeded; since then revision 9 was released; nothing done now/,
      ),
    );
    expect(decided("Aborted")).toMatchObject(ending("Aborted", "AlreadyExecuted"));
    expect(decided("Started")).toMatchObject(ending("Failed", "AlreadyExecuted", /never recorded/));
  });
});

describe("over everything that can be known", () => {
  const each = (test: (situation: Situation, decision: Decision) => void) =>
    fc.assert(
      fc.property(anySituation, (situation) => test(situation, decide(situation, NOW))),
      { numRuns: 2_000 },
    );

  it("something is decided, and a finished request rests", () => {
    each((situation, { kind }) => {
      expect(["Rest", "CleanUp"].includes(kind)).toBe(isFinished(situation.request));
    });
  });

  it("the target is written only for an announced step, that nobody stopped or aborted, and blind to nothing", () => {
    each((situation, { kind }) => {
      if (kind !== "Apply") return;
      expect(stateOf(situation)).toBe("Applying");
      expect(situation.killSwitch.kind).not.toBe("On");
      expect(situation.killSwitch.kind === "Unreadable" && situation.automatic !== undefined).toBe(false);
      expect(situation.progress).toBeUndefined();
      expect(isAbortAsked(situation.request)).toBe(false);
    });
  });

  it("what a stored change needs is written only where it is asked for, and nobody stopped or aborted", () => {
    each((situation, decision) => {
      if (decision.kind !== "Advance") return;
      expect(["Applying", "Applied"]).toContain(stateOf(situation));
      expect(situation.killSwitch.kind).not.toBe("On");
      expect(situation.killSwitch.kind === "Unreadable" && situation.automatic !== undefined).toBe(false);
      expect(situation.progress).toMatchObject({ kind: "InProgress", needsAdvance: true });
      expect(isAbortAsked(situation.request)).toBe(false);
      // Done once, it is not asked for again before the next look.
      const { needsAdvance: _, ...waiting } = decision.progress;
      expect(decide({ ...situation, progress: waiting }, NOW).kind).toBe("Wait");
    });
  });

  it("a step is announced only under the lock, with a plan, and never in a dry run or for a twin", () => {
    each((situation, { kind }) => {
      if (kind !== "Announce") return;
      expect(situation.lock).toEqual({ kind: "Held" });
      expect(situation.plan?.kind).toBe("Planned");
      expect(situation.twin).toBeUndefined();
      expect(situation.request.spec.dryRun).toBe(false);
      expect(stateOf(situation)).toBeUndefined();
    });
  });

  it("nothing is asked twice in one pass", () => {
    each((situation, { kind }) => {
      if (kind === "Plan") expect(situation.plan).toBeUndefined();
      if (kind === "TakeLock") expect(situation.lock).toBeUndefined();
      if (kind === "Observe") expect(situation.progress).toBeUndefined();
      if (kind === "Verify") expect(situation.verification).toBeUndefined();
      if (kind === "Record") expect(situation.request.status?.steps?.[0]?.after).toBeUndefined();
    });
  });

  it("success is claimed only after a step that succeeded, or where nothing was to be done", () => {
    each((situation, decision) => {
      if (decision.kind !== "Finish" || decision.ending.phase !== "Succeeded") return;
      const { reason, verified } = decision.ending;
      if (reason === "RolledBack") expect(stateOf(situation)).toBe("Succeeded");
      else expect(["NothingToDo", "DryRun", "AlreadyExecuted"]).toContain(reason);
      if (verified?.status !== "True") return;
      const outcomes = situation.verification?.checks.map(({ outcome }) => outcome) ?? [];
      expect(new Set(outcomes)).toEqual(new Set(["Passed"]));
    });
  });

  it("an aborted request ends, or looks and records first; it never writes to the target", () => {
    each((situation, { kind }) => {
      if (!isAbortAsked(situation.request) || isFinished(situation.request)) return;
      expect(["Finish", "Observe", "Record", "Wait"]).toContain(kind);
    });
  });

  it("every wait ends by itself", () => {
    each((_, decision) => {
      if (decision.kind === "Wait") expect(decision.afterMs).toBeGreaterThanOrEqual(0);
    });
  });
});

describe("a status that somebody else wrote", () => {
  it.each(["Applying", "Applied", "Succeeded"] as const)("ends a request %s without its plan", (state) => {
    const { status, ...request } = requestOf({ step: { state } });
    const { plan: _, ...rest } = status ?? {};

    expect(decide(situationOf({ ...request, status: rest }), NOW)).toMatchObject({
      kind: "Finish",
      ending: { phase: "Failed", reason: "StepFailed" },
    });
  });
});
