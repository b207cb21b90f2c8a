import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Evidence } from "./attribution/evidence.ts";
import { decide, runsUnasked, unproven, unprovenRuns, type Decision, type DecisionInput } from "./decide.ts";
import type { AutomaticRequest } from "./guards/guard.ts";
import { evaluateRows, statesOf, type RowEvaluation } from "./matrix.ts";
import type { Row } from "./row.ts";
import type { Sample } from "./sample.ts";
import { CRITICAL, decisionInput, START, STEP } from "./testing/decision-input.ts";

/** The sixth tick: the breach began with the second one. */
const NOW = START + 5 * STEP;
const ONSET = START + STEP;

const ELEVATED: Row = {
  ...CRITICAL,
  name: "elevated",
  threshold: 0.05,
  severity: "SEV3",
  action: "Propose",
  runAfterMs: 600_000,
};

function watch(rows: readonly Row[], value = 0.3): readonly RowEvaluation[] {
  let evaluations: readonly RowEvaluation[] = [];
  for (let index = 0; index <= 5; index += 1) {
    const sample: Sample = { kind: "Value", value: index === 0 ? 0 : value };
    const at = START + index * STEP;
    evaluations = evaluateRows(rows, new Map([["error-rate", sample]]), statesOf(evaluations), at, STEP);
  }
  return evaluations;
}

function input(rows: readonly Row[], change: Partial<DecisionInput> = {}): DecisionInput {
  return decisionInput(watch(rows), change);
}

const FAILED = { failed: 'Prometheus server "default" did not answer' };
const unknown = {
  evidence: new Map([
    ["critical", FAILED],
    ["elevated", FAILED],
  ]),
};
const only = (given: DecisionInput): Decision | undefined => decide(given)[0];

function requested(state: AutomaticRequest["state"], change: Partial<AutomaticRequest> = {}) {
  const common = { name: "r1", action: "Propose", plan: "application", at: START } as const;
  const request: AutomaticRequest = { ...common, breachSince: ONSET, state, ...change };
  return { ledger: { ...input([]).ledger, requestsOfRelease: [request] } };
}

describe("actions of a row", () => {
  it("proposes, and runs unasked only where the release is proven to be the cause", () => {
    const decision = only(input([ELEVATED]));
    expect(decision).toMatchObject({
      kind: "Propose",
      expiresAfterMs: 1_800_000,
      runAfterMs: undefined,
      instead: undefined,
    });
  });

  it("prepares, once the release has settled and while the policy is not suspended", () => {
    const row: Row = { ...ELEVATED, action: "Prepare" };
    const { policy } = input([]);
    expect(only(input([row]))?.kind).toBe("Prepare");
    expect(decide(input([row], { policy: { ...policy, settleMs: 80_000 } }))).toEqual([]);
    expect(decide(input([row], { policy: { ...policy, suspended: true } }))).toEqual([]);
    expect(only(input([row], { policy: { ...policy, mode: "Observe" } }))?.kind).toBe("Prepare");
  });

  it("proposes what it is not sure of instead of doing it", () => {
    expect(only(input([CRITICAL], unknown))).toMatchObject({
      kind: "Propose",
      attribution: { verdict: "Unknown" },
      instead: expect.stringContaining("did not answer"),
    });
    const { policy } = input([]);
    expect(only(input([CRITICAL], { policy: { ...policy, require: "Caused" } }))).toMatchObject({
      kind: "Propose",
      instead: expect.stringContaining("attribution.require is Caused"),
    });
  });

  it("asks nobody about what the release did not do", () => {
    const release = { ...input([]).release!, startedAt: ONSET + 1 };
    const { policy } = input([]);
    const change = { release, policy: { ...policy, settleMs: 0 } };
    expect(only(input([CRITICAL], change))).toMatchObject({ kind: "Hold", reason: "Unattributed" });
    expect(only(input([ELEVATED], change))).toMatchObject({ kind: "Hold", reason: "Unattributed" });
  });

  it("proposes where only the automatic act is held", () => {
    const ledger = { ...input([]).ledger, automaticRollbacks: [START - 600_000] };
    expect(only(input([CRITICAL], { ledger }))).toMatchObject({ kind: "Hold", reason: "Cooldown" });
    expect(only(input([CRITICAL, ELEVATED], { ledger }))).toMatchObject({
      kind: "Propose",
      row: { name: "elevated" },
    });
  });

  it.each<[string, Partial<DecisionInput>]>([
    ["KillSwitch", { killSwitch: "On" }],
    ["Frozen", { frozenBy: "Deployment/api" }],
    ["NoKnownGoodRevision", { rollbackTarget: undefined }],
    ["TargetBusy", requested("Waiting")],
    ["Denied", requested("Denied")],
    ["Expired", requested("Expired")],
    ["Aborted", requested("Aborted")],
    ["AlreadyExecuted", requested("Applied")],
  ])("does not propose: %s", (reason, change) => {
    expect(only(input([ELEVATED], change))).toMatchObject({ kind: "Hold", reason });
  });

  it("lets a rollback overtake a proposal that waits or expired, but not one that a person denied", () => {
    expect(only(input([CRITICAL], requested("Waiting")))).toMatchObject({ kind: "Rollback", attempt: 2 });
    expect(only(input([CRITICAL], requested("Expired")))?.kind).toBe("Rollback");
    expect(only(input([CRITICAL], requested("Denied")))).toMatchObject({ kind: "Hold", reason: "Denied" });
  });

  it("asks again about another breach than the one whose proposal expired", () => {
    expect(only(input([ELEVATED], requested("Expired", { breachSince: ONSET - 1 })))?.kind).toBe("Propose");
  });
});

describe("plans", () => {
  const FLAG: Row = { ...CRITICAL, name: "flag", plan: "partial" };
  const plans = [
    { name: "application", goesBack: true },
    { name: "partial", goesBack: false },
  ];

  it("decides for each plan, in their order, with a name of its own", () => {
    const decisions = decide(input([FLAG, CRITICAL], { plans }));
    expect(decisions).toMatchObject([
      { kind: "Rollback", plan: "application", row: { name: "critical" } },
      { kind: "Rollback", plan: "partial", row: { name: "flag" } },
    ]);
    const names = decisions.map((each) => each.kind === "Rollback" && each.requestName);
    expect(new Set(names).size).toBe(2);
  });

  it("needs a known good revision only where the plan goes back to one", () => {
    const decisions = decide(input([FLAG, CRITICAL], { plans, rollbackTarget: undefined }));
    expect(decisions).toMatchObject([{ kind: "Hold", reason: "NoKnownGoodRevision" }, { kind: "Rollback" }]);
  });

  it("acts once by each plan", () => {
    const decisions = decide(input([FLAG, CRITICAL], { plans, ...requested("Applied") }));
    expect(decisions).toMatchObject([
      { kind: "Hold", reason: "AlreadyExecuted" },
      { kind: "Rollback", attempt: 1 },
    ]);
  });
});

describe("rollback or hotfix", () => {
  const firedAt = ONSET + CRITICAL.forMs;
  const minor: Row = { ...CRITICAL, severity: "SEV3" };

  it("waits for hotfixDeadline whatever the severity, and acts when it has passed", () => {
    const row: Row = { ...CRITICAL, hotfixDeadlineMs: 60_000 };
    expect(only(input([row]))).toMatchObject({
      kind: "Hold",
      reason: "HotfixAwaited",
      retryAt: firedAt + 60_000,
    });
    expect(only(input([{ ...row, hotfixDeadlineMs: 0 }]))?.kind).toBe("Rollback");
  });

  it("waits for an announced hotfix, at most 15 minutes, and only below SEV2", () => {
    const hotfixEta = NOW + 3_600_000;
    expect(only(input([CRITICAL], { hotfixEta }))?.kind).toBe("Rollback");
    expect(only(input([{ ...CRITICAL, severity: "SEV2" }], { hotfixEta }))?.kind).toBe("Rollback");
    expect(only(input([minor], { hotfixEta }))).toMatchObject({
      reason: "HotfixAwaited",
      retryAt: firedAt + 900_000,
    });
    expect(only(input([minor], { hotfixEta: NOW + 1 }))).toMatchObject({ retryAt: NOW + 1 });
    expect(only(input([minor], { hotfixEta: NOW }))?.kind).toBe("Rollback");
  });
});

describe("freezes and shared breaches", () => {
  const open = { name: "weekend", until: NOW + 3_600_000, allow: ["SEV1" as const] };

  it("holds inside a freeze window, except for the severities that may break it", () => {
    expect(only(input([CRITICAL], { openFreezes: [open] }))?.kind).toBe("Rollback");
    expect(only(input([{ ...CRITICAL, severity: "SEV2" }], { openFreezes: [open] }))).toMatchObject({
      kind: "Hold",
      reason: "Frozen",
      message: 'inside the freeze window "weekend", which only SEV1 may break: allowed from 15:01:15',
      retryAt: open.until,
    });
  });

  it("proposes inside a freeze window: a person may decide", () => {
    expect(only(input([ELEVATED], { openFreezes: [open] }))?.kind).toBe("Propose");
  });

  it("holds when many targets began to breach together", () => {
    const others = [ONSET - 120_000, ONSET + 60_000, ONSET, ONSET + 120_001];
    const cluster = { ...input([]).cluster, otherOnsets: others };
    expect(only(input([CRITICAL], { cluster }))?.kind).toBe("Rollback");
    const five = { ...cluster, otherOnsets: [...others, ONSET] };
    expect(only(input([CRITICAL], { cluster: five }))).toMatchObject({
      kind: "Hold",
      reason: "BlastRadius",
      message: expect.stringContaining("looks like a shared dependency"),
    });
    expect(only(input([CRITICAL], { cluster: { ...five, sharedBreachTargets: 0 } }))?.kind).toBe("Rollback");
  });

  it("asks when metrics show other workloads breach too, unless the administrator does not want to know", () => {
    const breaching = ["app=a", "app=b"].map((name) => ({ name, since: ONSET }));
    const scope = { others: 9, from: ONSET - 300_000, togetherMs: 60_000, breaching };
    const given = input([CRITICAL], { evidence: new Map([["critical", { scope }]]) });
    expect(only(given)?.kind).toBe("Propose");
    const cluster = { ...given.cluster, sharedBreachTargets: 0 };
    expect(only({ ...given, cluster })?.kind).toBe("Rollback");
  });
});

describe("unproven", () => {
  it("names the acts whose breach nobody looked into", () => {
    const given = input([CRITICAL]);
    expect(unproven(decide(given), given.evidence)).toHaveLength(1);
    const looked = input([CRITICAL], { evidence: new Map([["critical", {}]]) });
    expect(unproven(decide(looked), looked.evidence)).toEqual([]);
  });

  it("never lets evidence that could not be read act, whatever else is given", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.constantFrom("Caused" as const, "Likely" as const), (both, require) => {
        const rows = both ? [CRITICAL, ELEVATED] : [CRITICAL];
        const { policy } = input([]);
        const decisions = decide(input(rows, { ...unknown, policy: { ...policy, require } }));
        expect(decisions.map(({ kind }) => kind)).toEqual(["Propose"]);
        expect(decisions[0]).toMatchObject({ runAfterMs: undefined });
      }),
    );
  });
});

describe("parts of a signal", () => {
  it("decides on the part that breaches and names it", () => {
    let evaluations: readonly RowEvaluation[] = [];
    for (let index = 0; index <= 5; index += 1) {
      const at = START + index * STEP;
      const parts = new Map<string, Sample>([
        ["route=/a", { kind: "Value", value: 0 }],
        ["route=/b", { kind: "Value", value: index === 0 ? 0 : 0.5 }],
      ]);
      const readings = new Map([["error-rate", { kind: "Split" as const, parts }]]);
      evaluations = evaluateRows([CRITICAL], readings, statesOf(evaluations), at, STEP);
    }
    expect(decide(input([], { evaluations }))).toMatchObject([
      {
        kind: "Rollback",
        part: "route=/b",
        sentence: expect.stringMatching(/^error-rate of route=\/b 50% > 10%/),
      },
    ]);
  });
});

/** New pods that are ill beside old ones that are well: proof. */
const CAUSED: Evidence = {
  ill: {
    what: "OOMKilled",
    isComparable: true,
    pods: [true, true, false, false].map((isIll) => ({ hash: isIll ? "h8" : "h7", isIll })),
  },
};

describe("a proposal that may run unasked", () => {
  const pods = { evidence: new Map([["elevated", CAUSED]]) };
  const waits = { ...requested("Waiting"), ...pods };

  it("runs while the breach goes on, the release is the proven cause and nothing would hold a rollback", () => {
    expect([...runsUnasked(input([ELEVATED], waits))]).toEqual(["application"]);
  });

  const { policy, cluster } = input([]);
  it.each<[string, Partial<DecisionInput>]>([
    ["nobody waits", pods],
    ["the cause is not proven", { ...requested("Waiting"), evidence: new Map([["elevated", {}]]) }],
    ["nothing was looked into", requested("Waiting")],
    ["it has recovered", { ...waits, evaluations: watch([ELEVATED], 0) }],
    ["the evaluation is old", { ...waits, now: NOW + 3_600_000 }],
    ["mode Observe", { ...waits, policy: { ...policy, mode: "Observe" } }],
    ["suspended", { ...waits, policy: { ...policy, suspended: true } }],
    ["a hotfix is announced", { ...waits, hotfixEta: NOW + 60_000 }],
    ["a freeze window is open", { ...waits, openFreezes: [{ name: "w", until: NOW + 1, allow: ["SEV1"] }] }],
    ["the kill switch is on", { ...waits, killSwitch: "On" }],
    ["the cluster's limit is reached", { ...waits, cluster: { ...cluster, maxPerTenMinutes: 0 } }],
  ])("does not run where %s", (_, change) => {
    expect([...runsUnasked(input([ELEVATED], change))]).toEqual([]);
  });

  it("is not called for by another row that fires", () => {
    const notify: Row = { ...ELEVATED, name: "notify", action: "Notify", runAfterMs: undefined };
    expect([...runsUnasked(input([notify], waits))]).toEqual([]);
  });

  it("asks for proof that is missing", () => {
    expect(unprovenRuns(input([ELEVATED], requested("Waiting")))).toMatchObject([{ row: ELEVATED }]);
    expect(unprovenRuns(input([ELEVATED], waits))).toEqual([]);
    expect(unprovenRuns(input([ELEVATED]))).toEqual([]);
  });
});
