import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { REQUEST_ANNOTATIONS as A } from "../../crds/annotations.ts";
import type { LedgerAutomatic } from "../../crds/rollback-ledger.ts";
import type { RollbackRequestSpec, RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { emptyLedger, targetHash } from "../ledger/ledger.ts";
import { decide } from "./decide.ts";
import { isFinished } from "./phase.ts";
import type { Situation } from "./situation.ts";
import {
  anySituation,
  AT,
  FROM,
  NOW,
  PLAN,
  requestOf,
  situationOf,
  WHOLE_PLAN,
} from "./testing/situations.ts";

const PLANNED = { plan: { kind: "Planned", plan: WHOLE_PLAN } } as const;
const HELD = { ...PLANNED, lock: { kind: "Held" } } as const;
const UNREADABLE = { killSwitch: { kind: "Unreadable", message: "cannot be read" } } as const;
const iso = (beforeNow: number) => new Date(NOW - beforeNow).toISOString();

interface Waits {
  readonly spec?: Partial<RollbackRequestSpec>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly timeline?: RollbackRequestStatus["timeline"];
  /** Digest of the plan that it has shown. */
  readonly shown?: string;
}

/** A request that has shown its plan a minute ago. */
function waits({ spec, annotations = {}, timeline, shown = "d" }: Waits = {}) {
  return requestOf({
    spec: { approval: "Required", ...spec },
    metadata: { annotations },
    status: {
      observedGeneration: -1,
      phase: "AwaitingApproval",
      plan: { digest: shown, steps: [PLAN] },
      timeline: timeline ?? { planned: iso(60_000) },
    },
  });
}

const by = (name: string, digest = "d") => ({ [A.approve]: digest, [A.approvedBy]: name });
const approved = (status: string, reason: string, message: RegExp = /./) => ({
  approved: { status, reason, message: expect.stringMatching(message) },
});
const finished = (phase: string, message: RegExp) => ({
  kind: "Finish",
  ending: { phase, reason: phase, message: expect.stringMatching(message) },
});

describe("a request that needs an approval", () => {
  it.each<readonly [string, Situation, object]>([
    ["is planned first", situationOf(requestOf({ spec: { approval: "Required" } })), { kind: "Plan" }],
    [
      "waits then, and says how to answer",
      situationOf(requestOf({ spec: { approval: "Required" } }), PLANNED),
      {
        kind: "Wait",
        phase: "AwaitingApproval",
        message: expect.stringMatching(
          /^waits for approval until 2026-01-01 00:40:00 UTC: .*revision 3.*"kubectl-rollback approve undo -n shop"/,
        ),
        waiting: { since: NOW, shownAt: NOW },
        ...approved("Unknown", "AwaitingApproval", /^plan d waits/),
      },
    ],
    [
      "takes the lock once approved",
      situationOf(waits({ annotations: by("alice") }), PLANNED),
      { kind: "TakeLock" },
    ],
    [
      "and is announced with who approved which plan",
      situationOf(waits({ annotations: by("alice") }), HELD),
      { kind: "Announce", ...approved("True", "Approved", /^approved by alice: plan d$/) },
    ],
    [
      "waits for its turn when approved, still approved",
      situationOf(waits({ annotations: by("alice") }), {
        ...PLANNED,
        lock: { kind: "Busy", holder: { namespace: "shop", name: "other", uid: "u" } },
      }),
      { kind: "Wait", phase: "Pending", reason: "TargetBusy", ...approved("True", "Approved") },
    ],
    [
      "is not approved by the digest of another plan",
      situationOf(waits({ annotations: by("alice", "other") }), HELD),
      {
        kind: "Wait",
        phase: "AwaitingApproval",
        message: expect.stringMatching(/^plan other, which alice approved, is not the plan any more: waits/),
        ...approved("False", "PlanChanged", /the plan is d now$/),
      },
    ],
    [
      "is denied, also by who approved it before",
      situationOf(waits({ annotations: { ...by("alice"), [A.deny]: "no", [A.deniedBy]: "bob" } }), HELD),
      finished("Denied", /^denied by bob: no; nothing was changed$/),
    ],
    [
      "expires",
      situationOf(waits({ timeline: { planned: iso(30 * 60_000) } })),
      finished("Expired", /^nobody approved it within 30m/),
    ],
    [
      "expires with an approval of another plan",
      situationOf(
        waits({ timeline: { planned: iso(30 * 60_000) }, annotations: by("alice", "other") }),
        PLANNED,
      ),
      finished("Expired", /./),
    ],
    [
      "runs when the approval came in time and the operator late",
      situationOf(waits({ timeline: { planned: iso(40 * 60_000) }, annotations: by("alice") }), PLANNED),
      { kind: "TakeLock" },
    ],
    [
      "with runAfter says when it runs",
      situationOf(waits({ spec: { runAfter: "10m" } }), PLANNED),
      {
        kind: "Wait",
        message: expect.stringMatching(/^runs at 2026-01-01 00:19:00 UTC unless it is denied: /),
      },
    ],
    [
      "with runAfter runs at that time",
      situationOf(waits({ spec: { runAfter: "1m" } }), HELD),
      { kind: "Announce", ...approved("True", "NotDenied", /^nobody denied plan d within 1m$/) },
    ],
    [
      "of the operator runs at that time while the breach goes on",
      situationOf(waits({ spec: { runAfter: "1m" } }), {
        ...HELD,
        automatic: entry("undo"),
        mayRunUnasked: true,
      }),
      { kind: "Announce" },
    ],
    [
      "of the operator tells that its breach is over",
      situationOf(waits(), { ...HELD, automatic: entry("undo"), policy: recovered() }),
      {
        kind: "Wait",
        message: expect.stringMatching(/^no row of the policy fires any more; waits for approval/),
      },
    ],
    [
      "of the operator does not run by itself where the policy's newest evaluation does not call for it",
      situationOf(waits({ spec: { runAfter: "1m" } }), { ...HELD, automatic: entry("undo") }),
      {
        kind: "Wait",
        phase: "AwaitingApproval",
        message: expect.stringMatching(
          /^does not run by itself, since the breach does not go on or a guard holds it .*; waits for approval until/,
        ),
      },
    ],
    [
      "counts runAfter from the plan as it is",
      situationOf(waits({ spec: { runAfter: "1m" }, shown: "before" }), PLANNED),
      { kind: "Wait", waiting: { since: NOW - 60_000, shownAt: NOW } },
    ],
    [
      "counts runAfter from the last change of its plan",
      situationOf(
        waits({ spec: { runAfter: "1m" }, timeline: { planned: iso(120_000), replanned: iso(30_000) } }),
        PLANNED,
      ),
      { kind: "Wait", afterMs: 30_000 },
    ],
    [
      "does not run long after its time",
      situationOf(waits({ spec: { runAfter: "1m" }, timeline: { planned: iso(30 * 60_000) } }), HELD),
      finished("Expired", /./),
    ],
    [
      "goes on waiting while its workload is being changed",
      situationOf(waits(), { plan: { kind: "Pending", message: "not yet", pollAfterMs: 250 } }),
      { kind: "Wait", phase: "AwaitingApproval", afterMs: 250 },
    ],
    ["waits though the kill switch cannot be read", situationOf(waits(), UNREADABLE), { kind: "Plan" }],
    [
      "does not act by itself while the kill switch cannot be read",
      situationOf(waits({ spec: { runAfter: "1m" } }), {
        ...PLANNED,
        ...UNREADABLE,
        automatic: entry("undo"),
        mayRunUnasked: true,
      }),
      { kind: "Wait", phase: "Pending", reason: "KillSwitch" },
    ],
    [
      "is refused while the kill switch is on",
      situationOf(waits({ annotations: by("alice") }), { killSwitch: { kind: "On", message: "stopped" } }),
      { kind: "Finish", ending: { phase: "Failed", reason: "KillSwitch" } },
    ],
    [
      "does not wait with a dry run",
      situationOf(requestOf({ spec: { approval: "Required", dryRun: true } }), PLANNED),
      { kind: "Finish", ending: { reason: "DryRun" } },
    ],
  ])("%s", (_, situation, expected) => {
    expect(decide(situation, NOW)).toMatchObject(expected);
  });

  it("comes back before its times, and at a pace of its own", () => {
    const afterMs = (change: Waits, uid = "request-uid") => {
      const request = waits(change);
      const decision = decide(
        situationOf({ ...request, metadata: { ...request.metadata, uid } }, PLANNED),
        NOW,
      );
      return decision.kind === "Wait" ? decision.afterMs : -1;
    };
    expect(afterMs({ spec: { expiresAfter: "90s" } })).toBe(30_000);
    expect(afterMs({ spec: { runAfter: "70s" } })).toBe(10_000);
    const paces = Array.from({ length: 20 }, (_, index) => afterMs({}, `uid-${index}`));
    expect(new Set(paces).size).toBeGreaterThan(15);
    expect(Math.min(...paces)).toBeGreaterThanOrEqual(90_000);
    expect(Math.max(...paces)).toBeLessThanOrEqual(150_000);
  });
});

function recovered(): Situation["policy"] {
  const condition = { type: "Breached", status: "False", reason: "R", message: "", lastTransitionTime: AT };
  const { metadata } = requestOf();
  return { metadata, spec: {}, status: { conditions: [condition] } } as unknown as Situation["policy"];
}

function entry(request: string, change: Partial<LedgerAutomatic> = {}): LedgerAutomatic {
  const { uid: replicaSetUid, podTemplateHash, revision } = FROM;
  const trigger = { policy: "api", row: "critical" };
  return {
    request,
    replicaSetUid,
    podTemplateHash,
    revision,
    attempt: 1,
    at: AT,
    trigger,
    plan: "p",
    ...change,
  };
}

describe("an open proposal", () => {
  const proposal = entry("undo", { action: "Propose" });
  const target = { group: "apps", kind: "Deployment", namespace: "shop", name: "web" };

  function decidedWith(...automatic: readonly LedgerAutomatic[]) {
    const ledgers = new Map([[targetHash(target), { ...emptyLedger(target), automatic: [...automatic] }]]);
    return decide(situationOf(waits(), { ...PLANNED, ledgers, automatic: proposal }), NOW);
  }

  it("gives way to a later decision that does not wait", () => {
    expect(decidedWith(proposal, entry("act", { action: "Rollback" }))).toMatchObject(
      finished("Superseded", /^RollbackRequest act does without approval .*, since row critical fired/),
    );
  });

  it.each<readonly [string, readonly LedgerAutomatic[]]>([
    ["another proposal", [proposal, entry("other", { action: "Propose" })]],
    ["an earlier decision", [entry("act", { action: "Rollback" }), proposal]],
    ["a decision for another plan", [proposal, entry("act", { action: "Rollback", plan: "q" })]],
    ["a decision of another policy", [proposal, entry("act", { trigger: { policy: "old" } })]],
  ])("stays beside %s", (_, automatic) => {
    expect(decidedWith(...automatic).kind).toBe("Wait");
  });
});

describe("a frozen target", () => {
  const frozen = { frozenBy: "Deployment/web" };

  it.each<readonly [string, Situation, boolean]>([
    ["a person", situationOf(requestOf(), frozen), true],
    ["a person in an emergency", situationOf(requestOf({ spec: { severity: "SEV1" } }), frozen), false],
    [
      "the operator",
      situationOf(requestOf({ spec: { severity: "SEV1" } }), { ...frozen, automatic: entry("undo") }),
      true,
    ],
  ])("is kept from %s: %s", (_, situation, isRefused) => {
    expect(decide(situation, NOW)).toMatchObject(
      isRefused ? { kind: "Finish", ending: { phase: "Failed", reason: "Frozen" } } : { kind: "Plan" },
    );
  });
});

describe("over everything that can be known, what needs an approval", () => {
  it("takes no lock and announces nothing without one", () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const { request, plan } = situation;
        const { kind } = decide(situation, NOW);
        if (request.spec.approval === "Auto" || (kind !== "TakeLock" && kind !== "Announce")) return;
        const annotations = request.metadata.annotations ?? {};
        expect(annotations[A.deny]).toBeUndefined();
        expect(situation.frozenBy).toBeUndefined();
        const isApproved = plan?.kind === "Planned" && annotations[A.approve] === plan.plan.digest;
        expect(isApproved || request.spec.runAfter === "1s").toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  it("ends when it is denied, unless it has begun", () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const { request, twin } = situation;
        const isOpen = request.spec.approval === "Required" && !request.spec.dryRun && twin === undefined;
        const hasBegun = request.status?.steps !== undefined;
        if (
          !isOpen ||
          hasBegun ||
          isFinished(request) ||
          request.metadata.annotations?.[A.deny] === undefined
        )
          return;
        expect(decide(situation, NOW).kind).toBe("Finish");
      }),
      { numRuns: 2_000 },
    );
  });
});
