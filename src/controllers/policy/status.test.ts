import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import { emptyWindow } from "../../decision/window.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { CompiledPolicy } from "./compile.ts";
import { createRuntime, type PolicyRuntime } from "./runtime.ts";
import { breachOf, type Breach } from "./breach-condition.ts";
import { policyStatus, signalFacts, standingOf, type PolicyFacts, type Standing } from "./status.ts";

const NOW = Date.UTC(2026, 10, 22, 14, 0, 0);
const ROW = {
  name: "critical",
  signal: "error-rate",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 30_000,
  severity: "SEV1",
  action: "Rollback",
  plan: "application",
  expiresAfterMs: 1_800_000,
} as const;

function policy(status?: RollbackPolicyStatus, generation = 1): RollbackPolicy {
  return {
    metadata: { name: "api", namespace: "shop", generation },
    spec: { target: { kind: "Deployment", name: "api" } },
    ...(status === undefined ? {} : { status }),
  } as unknown as RollbackPolicy;
}

const compiled = {
  kind: "Compiled",
  rows: [ROW],
  signals: [{ name: "error-rate", source: { unit: "ratio" } }],
  view: { mode: "Enforce" },
} as unknown as CompiledPolicy;

function runtime(change: Partial<PolicyRuntime> = {}): PolicyRuntime {
  return { ...createRuntime("shop/web", "u", 1, compiled, [], NOW), ...change };
}

const reasons = fc.constantFrom("Evaluating", "CannotEvaluate", "TargetOwned", "Suspended");
const standings: fc.Arbitrary<Standing> = fc.record({
  kind: fc.constantFrom("Stalled", "Impaired", "Ready"),
  reason: reasons,
  message: fc.string(),
});
const breaches: fc.Arbitrary<Breach> = fc.record({
  status: fc.constantFrom("True", "False", "Unknown"),
  reason: reasons,
  message: fc.string(),
});
/** One write: what was found, after how long, and whether the spec was changed before. */
const steps = fc.array(
  fc.record({
    standing: standings,
    rollbackReady: breaches,
    breached: breaches,
    pause: fc.integer({ min: 0, max: 90_000 }),
    edited: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

const isTrue = (status: RollbackPolicyStatus, type: string) =>
  status.conditions?.some((each) => each.type === type && each.status === "True") === true;

describe("policyStatus", () => {
  it("is readable by waiters after any history of standings", () => {
    fc.assert(
      fc.property(steps, (history) => {
        let status: RollbackPolicyStatus = { observedGeneration: -1 };
        let now = NOW;
        let generation = 1;
        for (const { standing, rollbackReady, breached, pause, edited } of history) {
          now += pause;
          generation += edited ? 1 : 0;
          const before = status;
          status = policyStatus(policy(before, generation), standing, rollbackReady, breached, {}, now);
          const types = status.conditions?.map(({ type }) => type) ?? [];
          const ready = status.conditions?.find(({ type }) => type === "Ready");
          const stalled = isTrue(status, "Stalled");
          const reconciling = isTrue(status, "Reconciling");
          const order = ["Stalled", "Reconciling", "Ready", "RollbackReady", "Breached"];
          expect(types).toEqual(order.filter((type) => types.includes(type)));
          expect(types).toEqual(expect.arrayContaining(["Ready", "RollbackReady", "Breached"]));
          expect(stalled && reconciling).toBe(false);
          expect(ready?.status).toBe(standing.kind === "Ready" ? "True" : "False");
          expect(stalled || reconciling).toBe(standing.kind !== "Ready");
          expect(status.observedGeneration).toBeLessThanOrEqual(generation);
          expect(status.observedGeneration).toBeGreaterThanOrEqual(before.observedGeneration ?? -1);
          if (standing.kind !== "Impaired") expect(status.observedGeneration).toBe(generation);
          for (const condition of status.conditions ?? []) {
            const then = before.conditions?.find(({ type }) => type === condition.type);
            expect(condition.observedGeneration).toBe(generation);
            if (["Stalled", "Reconciling"].includes(condition.type)) {
              expect(condition).toMatchObject({
                status: "True",
                reason: ready?.reason,
                message: ready?.message,
              });
            }
            if (then?.status === condition.status)
              expect(condition.lastTransitionTime).toBe(then.lastTransitionTime);
          }
          // The same again, however much later, is nothing to write.
          const again = policyStatus(
            policy(status, generation),
            standing,
            rollbackReady,
            breached,
            {},
            now + 3e6,
          );
          expect(again).toEqual(status);
        }
      }),
    );
  });
});

describe("signalFacts", () => {
  const value = (number: number) => new Map([["error-rate", { kind: "Value", value: number } as const]]);

  it("changes with the state only, not with the value or the server's words", () => {
    const first = signalFacts(policy(), runtime({ readings: value(0.01) }), compiled, NOW);
    expect(first).toEqual([
      { name: "error-rate", state: "Ok", since: "2026-11-22T14:00:00.000Z", value: "1%" },
    ]);
    const known = policy({ signals: first });
    expect(signalFacts(known, runtime({ readings: value(0.02) }), compiled, NOW + 15_000)).toEqual(first);
    const failed = runtime({
      readings: new Map([["error-rate", { kind: "Error", detail: "HTTP 500" } as const]]),
    });
    expect(signalFacts(known, failed, compiled, NOW + 15_000)).toEqual([
      { name: "error-rate", state: "Error", since: "2026-11-22T14:00:15.000Z", detail: "HTTP 500" },
    ]);
  });

  it("is a breach when any of the signal's rows breaches", () => {
    const sample = { kind: "Value", value: 0.2 } as const;
    const evaluation = {
      row: ROW,
      part: "",
      at: NOW,
      sample,
      verdict: "Breach",
      window: emptyWindow(),
      fires: false,
    } as const;
    const facts = signalFacts(
      policy(),
      runtime({ readings: value(0.2), evaluations: [evaluation] }),
      compiled,
      NOW,
    );
    expect(facts).toMatchObject([{ state: "Breach", value: "20%" }]);
  });
});

describe("breachOf", () => {
  const sample = { kind: "Value", value: 0.2 } as const;
  const at = (sinceMs: number) => {
    const run = { since: NOW, lastBreachAt: NOW + sinceMs };
    const window = { ...emptyWindow(), lastAt: NOW + sinceMs, run, onset: NOW };
    return runtime({
      evaluations: [
        {
          row: ROW,
          part: "",
          at: NOW + sinceMs,
          sample,
          verdict: "Breach",
          window,
          fires: sinceMs >= 30_000,
        },
      ],
    });
  };

  it("says when a pending row fires, in the same words until it does", () => {
    const pending = breachOf(at(5_000), NOW + 5_000);
    expect(pending).toEqual({
      status: "False",
      reason: "RowPending",
      message: "error-rate breaches since 14:00:00, row critical fires at 14:00:30",
    });
    expect(breachOf(at(20_000), NOW + 20_000)).toEqual(pending);
    expect(breachOf(at(30_000), NOW + 30_000)).toMatchObject({ status: "True", reason: "RowFires" });
  });

  it("is Unknown where no row has a verdict", () => {
    expect(breachOf(runtime(), NOW)).toMatchObject({ status: "Unknown" });
  });
});

describe("standingOf", () => {
  const facts: PolicyFacts = { signals: [{ name: "error-rate", state: "Ok", since: "" }] };

  it("is Ready with what is seen and what the release is worth", () => {
    const release = { revision: 7, replicaSetUid: "u", podTemplateHash: "h" };
    const good = { ...release, knownGoodSince: "2026-11-22T13:59:00Z" };
    expect(standingOf(runtime(), compiled, { ...facts, release }, NOW)).toMatchObject({
      kind: "Ready",
      message: "1 signal Ok, revision 7 not known good yet",
    });
    expect(standingOf(runtime(), compiled, { ...facts, release: good }, NOW)).toMatchObject({
      message: "1 signal Ok, revision 7 known good since 13:59:00",
    });
  });

  it("is Impaired, so that waiters go on waiting, after ten blind intervals and not before", () => {
    const blind = (count: number) =>
      runtime({ health: new Map([["error-rate", { blind: count, invalid: 0, detail: "HTTP 500" }]]) });
    expect(standingOf(blind(9), compiled, facts, NOW).kind).toBe("Ready");
    expect(standingOf(blind(10), compiled, facts, NOW)).toEqual({
      kind: "Impaired",
      reason: "CannotEvaluate",
      message: "cannot evaluate, so nothing is done: error-rate: HTTP 500",
    });
  });

  it("is Stalled by a row that can never fire", () => {
    const unreachable = new Map([["latency", "row latency can never fire"]]);
    expect(standingOf(runtime({ unreachable }), compiled, facts, NOW)).toMatchObject({ kind: "Stalled" });
  });
});
