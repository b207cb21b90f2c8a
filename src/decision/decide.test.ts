import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { decide as decideAll, type Decision, type DecisionInput } from "./decide.ts";
import type { AutomaticRequest } from "./guards/guard.ts";
import { evaluateRows, statesOf, type RowEvaluation } from "./matrix.ts";
import type { Row } from "./row.ts";
import type { Sample, UnknownKind } from "./sample.ts";
import { CRITICAL, decisionInput, START, STEP } from "./testing/decision-input.ts";

const ELEVATED: Row = { ...CRITICAL, name: "elevated", threshold: 0.05, severity: "SEV3", action: "Notify" };

const QUIET = { kind: "Quiet" } as const;

/** What is decided about the only plan. */
function decide(given: DecisionInput): Decision | typeof QUIET {
  return decideAll(given)[0] ?? QUIET;
}

/** Error rates of one tick each, the release starting at the first; `undefined` is a sample without verdict. */
function watch(
  values: readonly (number | undefined)[],
  rows = [CRITICAL, ELEVATED],
  start = START,
): RowEvaluation[] {
  let evaluations: readonly RowEvaluation[] = [];
  for (const [index, value] of values.entries()) {
    const sample: Sample = value === undefined ? { kind: "NoData", detail: "" } : { kind: "Value", value };
    const at = start + index * STEP;
    evaluations = evaluateRows(rows, new Map([["error-rate", sample]]), statesOf(evaluations), at, STEP);
  }
  return [...evaluations];
}

/** Healthy, then broken from the second tick on; fires at the sixth. */
const BROKEN = [0, 0.3, 0.3, 0.3, 0.3, 0.312];

function input(change: Partial<DecisionInput> = {}): DecisionInput {
  return decisionInput(watch(BROKEN), change);
}

function automatic(
  state: AutomaticRequest["state"],
  change: Partial<AutomaticRequest> = {},
): AutomaticRequest {
  const common = { name: "r1", action: "Rollback", plan: "application", at: START } as const;
  return { ...common, breachSince: START + STEP, state, ...change };
}

function requested(...requestsOfRelease: AutomaticRequest[]): Partial<DecisionInput> {
  return { ledger: { ...input().ledger, requestsOfRelease } };
}

function policy(change: Partial<DecisionInput["policy"]>): Partial<DecisionInput> {
  return { policy: { ...input().policy, ...change } };
}

describe("decide", () => {
  it("rolls back, with the sentence and a name", () => {
    const decision = decide(input());
    expect(decision).toMatchObject({
      kind: "Rollback",
      row: { name: "critical", severity: "SEV1" },
      value: 0.312,
      onset: START + STEP,
      attempt: 1,
      attribution: { verdict: "Likely" },
      sentence:
        "error-rate 31.2% > 10% for 1m since 14:00:15, 15s after revision 8 started; likely caused by revision 8",
    });
    expect(decision.kind === "Rollback" && decision.requestName).toMatch(/^api-r8-/);
  });

  it("is quiet when nothing fires, and when the evaluations are old", () => {
    expect(decide(input({ evaluations: watch([0, 0, 0]) }))).toEqual({ kind: "Quiet" });
    expect(decide(input({ evaluations: [] }))).toEqual({ kind: "Quiet" });
    expect(decide(input({ now: START + 5 * STEP + 3 * STEP + 1 })).kind).toBe("Quiet");
  });

  it("notifies for a weaker row", () => {
    const decision = decide(input({ evaluations: watch([0, 0.07, 0.07, 0.07, 0.07, 0.07]) }));
    expect(decision).toMatchObject({ kind: "Notify", row: { name: "elevated" } });
  });

  it.each<[string, string, Partial<DecisionInput>]>([
    ["KillSwitch", "is on", { killSwitch: "On" }],
    ["KillSwitch", "cannot be read", { killSwitch: "Unreadable" }],
    ["Suspended", "suspended", policy({ suspended: true })],
    ["ModeObserve", "only observes", policy({ mode: "Observe" })],
    ["ExecutorNotSet", "serviceAccountName", policy({ executor: undefined })],
    ["Settling", "allowed from 14:01:20", policy({ settleMs: 80_000 })],
    ["BreachTooOld", "a person has to decide", { watchingSince: START + STEP + 1_200_001 }],
    [
      "Unattributed",
      "investigate other causes",
      { release: { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8", startedAt: START + 2 * STEP } },
    ],
    ["NoKnownGoodRevision", "known good", { rollbackTarget: undefined }],
    [
      "NothingToDo",
      "already rolled back by api-r7-abc",
      {
        release: {
          replicaSetUid: "rs-8",
          revision: 8,
          podTemplateHash: "h8",
          startedAt: START,
          productOfRollback: { request: "api-r7-abc" },
        },
      },
    ],
    ["TargetBusy", "r1 for this release is under way", requested(automatic("Open"))],
    ["AlreadyExecuted", "r1 has acted", requested(automatic("Applied"))],
    [
      "Cooldown",
      "allowed from 14:20:00",
      { ledger: { ...input().ledger, automaticRollbacks: [START - 600_000, START - 7_200_000] } },
    ],
    [
      "BudgetSpent",
      "allowed from 2026-11-23T10:00:00Z",
      {
        ledger: {
          ...input().ledger,
          automaticRollbacks: [4, 3, 2, 26].map((hours) => START - hours * 3_600_000),
        },
      },
    ],
    ["BudgetSpent", "none is allowed", policy({ maxPerDay: 0 })],
    [
      "BlastRadius",
      "allowed from 14:05:00",
      {
        cluster: {
          automaticRollbacks: [START - 300_000, START - 100_000, START - 700_000],
          maxPerTenMinutes: 2,
          otherOnsets: [],
          sharedBreachTargets: 0,
        },
      },
    ],
  ])("holds: %s (%s)", (reason, message, change) => {
    const settled = change.policy === undefined ? policy({ settleMs: 30_000 }) : {};
    const decision = decide(input({ ...settled, ...change }));
    expect(decision).toMatchObject({ kind: "Hold", reason, message: expect.stringContaining(message) });
  });

  it("shows the first refusal, in the order of the chain", () => {
    const held = decide(input({ killSwitch: "On", ...policy({ suspended: true, mode: "Observe" }) }));
    expect(held).toMatchObject({ kind: "Hold", reason: "KillSwitch" });
  });

  it("goes on with an old breach whose row was pending in the ledger", () => {
    const ledger = { ...input().ledger, pendingRows: new Set(["critical"]) };
    expect(decide(input({ ledger, watchingSince: START + STEP + 1_200_001 })).kind).toBe("Rollback");
  });

  it("forgets what is older than the day and the ten minutes", () => {
    const hoursAgo = (hours: number) => input().now - hours * 3_600_000;
    const ledger = {
      ...input().ledger,
      automaticRollbacks: [hoursAgo(24), hoursAgo(25), hoursAgo(3), hoursAgo(2)],
    };
    const cluster = {
      automaticRollbacks: [input().now - 600_000, input().now - 599_999],
      maxPerTenMinutes: 2,
      otherOnsets: [],
      sharedBreachTargets: 0,
    };
    expect(decide(input({ ledger, cluster })).kind).toBe("Rollback");
  });

  it("counts attempts: one that ended before it applied anything allows another", () => {
    const ended = automatic("EndedUnapplied", { at: START - 600_000 });
    expect(decide(input(requested(ended)))).toMatchObject({ kind: "Rollback", attempt: 2 });
  });

  it("waits longer after each attempt that came to nothing, or a request would be made at every tick", () => {
    const ended = (at: number) => automatic("EndedUnapplied", { at });
    const after = (waitMs: number, ...ends: number[]) => {
      const now = START + 5 * STEP;
      const requestsOfRelease = ends.map((end) => ended(now - end - waitMs));
      return decide(input({ now, ledger: { ...input().ledger, requestsOfRelease } }));
    };
    expect(after(59_999, 0)).toMatchObject({
      kind: "Hold",
      reason: "Cooldown",
      retryAt: START + 5 * STEP + 1,
    });
    expect(after(60_000, 0).kind).toBe("Rollback");
    expect(after(119_999, 0, 60_000).kind).toBe("Hold");
    expect(after(120_000, 0, 60_000)).toMatchObject({ kind: "Rollback", attempt: 3 });
    expect(after(1_800_000, ...Array.from({ length: 30 }, () => 0)).kind).toBe("Rollback");
  });

  it("leaves a release alone whose rollback a person aborted", () => {
    const aborted = automatic("Aborted", { at: START - 86_400_000 });
    expect(decide(input(requested(aborted)))).toMatchObject({
      kind: "Hold",
      reason: "Aborted",
      message: "request r1 for this release was aborted: a person has to decide",
    });
  });

  it("lets no row that was breaching before the release hide one that the release broke", () => {
    const latency: Row = { ...CRITICAL, name: "latency", signal: "p95", unit: "seconds", threshold: 5 };
    let evaluations: readonly RowEvaluation[] = [];
    for (let index = -3; index <= 5; index += 1) {
      const samples = new Map<string, Sample>([
        ["error-rate", { kind: "Value", value: index === -3 ? 0 : 0.5 }],
        ["p95", { kind: "Value", value: index <= 0 ? 1 : 9 }],
      ]);
      const at = START + index * STEP;
      evaluations = evaluateRows([CRITICAL, latency], samples, statesOf(evaluations), at, STEP);
    }
    expect(decide(input({ evaluations }))).toMatchObject({ kind: "Rollback", row: { name: "latency" } });
    const onlyOld = evaluations.filter(({ row }) => row.name === "critical");
    expect(decide(input({ evaluations: onlyOld }))).toMatchObject({ kind: "Hold", reason: "Unattributed" });
  });

  it("does not notify while the release settles or the policy is suspended", () => {
    const evaluations = watch(BROKEN, [ELEVATED]);
    expect(decide(input({ evaluations })).kind).toBe("Notify");
    expect(decide(input({ evaluations, ...policy({ settleMs: 80_000 }) })).kind).toBe("Quiet");
    expect(decide(input({ evaluations, ...policy({ suspended: true }) })).kind).toBe("Quiet");
    expect(decide(input({ evaluations, ...policy({ mode: "Observe" }) })).kind).toBe("Notify");
  });
});

describe("decide, always", () => {
  const value = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined });
  const unknownKind = fc.constantFrom<UnknownKind>(
    "NoData",
    "Stale",
    "NaN",
    "InsufficientTraffic",
    "Unproven",
    "Ambiguous",
    "Error",
  );

  function acts(decision: { readonly kind: string }): boolean {
    return decision.kind === "Rollback";
  }

  it("never acts on a sample without a verdict, whatever came before", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 20 }), unknownKind, (values, kind) => {
        const before = watch([0, ...values]);
        const at = START + (values.length + 1) * STEP;
        const sample: Sample = { kind, detail: "" };
        const evaluations = evaluateRows(
          [CRITICAL, ELEVATED],
          new Map([["error-rate", sample]]),
          statesOf(before),
          at,
          STEP,
        );
        expect(decide(input({ now: at, evaluations }))).toEqual({ kind: "Quiet" });
      }),
    );
  });

  it("acts only when every condition of the scope holds, and decides the same twice", () => {
    const time = fc.integer({ min: START - 7_200_000, max: START + 7_200_000 });
    const scene = fc.record({
      values: fc.array(fc.constantFrom(0, 0.3, 0.3, 0.3, undefined), { minLength: 1, maxLength: 14 }),
      startedAt: fc.option(time, { nil: undefined }),
      rollbacks: fc.array(time, { maxLength: 5 }),
      killSwitch: fc.constantFrom("Off" as const, "On" as const, "Unreadable" as const),
      mode: fc.constantFrom("Enforce" as const, "Observe" as const),
      suspended: fc.boolean(),
      executor: fc.constantFrom(undefined, "rollback-executor"),
      good: fc.boolean(),
    });
    fc.assert(
      fc.property(scene, ({ values, startedAt, rollbacks, killSwitch, mode, suspended, executor, good }) => {
        const now = START + (values.length - 1) * STEP;
        const given = input({
          now,
          killSwitch,
          evaluations: watch(values),
          release: { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8", startedAt },
          rollbackTarget: good ? input().rollbackTarget : undefined,
          ledger: { ...input().ledger, automaticRollbacks: rollbacks },
          ...policy({ mode, suspended, executor }),
        });
        const decision = decide(given);
        expect(decide(given)).toEqual(decision);
        if (decision.kind === "Rollback") {
          expect({ killSwitch, mode, suspended, executor, good }).toEqual({
            killSwitch: "Off",
            mode: "Enforce",
            suspended: false,
            executor: "rollback-executor",
            good: true,
          });
          expect(decision.onset).toBeGreaterThanOrEqual(startedAt!);
          expect(now - startedAt!).toBeLessThanOrEqual(3_600_000);
          expect(values.at(-1)).toBe(0.3);
        }
        expect(acts(decision) && rollbacks.some((at) => now - at < 1_800_000)).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});
