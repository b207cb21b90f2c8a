import { describe, expect, it } from "@jest/globals";
import { decide, type Decision, type DecisionInput } from "./decide.ts";
import { evaluateRows, stateKey, statesOf, type RowEvaluation } from "./matrix.ts";
import { WHOLE } from "./sample.ts";
import { CRITICAL, decisionInput, START, STEP } from "./testing/decision-input.ts";

const HOUR = 3_600_000;
/** The release was an hour before; the configuration changes now. */
const RELEASED = START - HOUR;
const CHANGE = { configMap: "settings", at: START };
const CODE = { name: "application", goesBack: true };
const CONFIG = { name: "config", goesBack: false, configMaps: ["settings"] };

/** Healthy, then broken from the second tick on; fires at the sixth. */
function broken(): readonly RowEvaluation[] {
  let evaluations: readonly RowEvaluation[] = [];
  for (const [index, value] of [0, 0.3, 0.3, 0.3, 0.3, 0.312].entries()) {
    const samples = new Map([["error-rate", { kind: "Value", value } as const]]);
    evaluations = evaluateRows([CRITICAL], samples, statesOf(evaluations), START + index * STEP, STEP);
  }
  return evaluations;
}

function decided(change: Partial<DecisionInput>): Decision {
  const base = decisionInput(broken(), {
    release: { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8", startedAt: RELEASED },
    plans: [CODE, CONFIG],
    configuration: { changes: [CHANGE] },
  });
  const input = { ...base, policy: { ...base.policy, lookbackMs: 4 * HOUR, settleMs: 0 }, ...change };
  const decisions = decide(input);
  expect(decisions).toHaveLength(1);
  const [only] = decisions;
  if (only === undefined) throw new Error("nothing was decided");
  return only;
}

describe("a breach after a change of the configuration", () => {
  it("is answered by the plan that puts it back, not by the one of the row", () => {
    expect(decided({})).toMatchObject({
      kind: "Rollback",
      plan: "config",
      attribution: { verdict: "Likely" },
      sentence: expect.stringContaining("15s after ConfigMap/settings changed"),
    });
  });

  it("is answered so although the release is older than the lookback", () => {
    const { policy } = decisionInput([]);
    const old = { ...policy, lookbackMs: HOUR / 2, settleMs: 0 };
    expect(decided({ policy: old })).toMatchObject({ kind: "Rollback", plan: "config" });
    expect(decided({ policy: old, configuration: undefined })).toMatchObject({
      kind: "Hold",
      reason: "Unattributed",
      plan: "application",
    });
  });

  it("is put to a person where no plan puts it back", () => {
    expect(decided({ plans: [CODE] })).toMatchObject({
      kind: "Propose",
      plan: "application",
      instead: expect.stringContaining("ConfigMap/settings changed at 14:00:00, 15s before the breach"),
    });
  });

  it("stays with a plan that takes both back", () => {
    const both = { name: "application", goesBack: true, configMaps: ["settings"] };
    expect(decided({ plans: [both, CONFIG] })).toMatchObject({ kind: "Rollback", plan: "application" });
  });

  it.each([
    ["it changed with the release", { configMap: "settings", at: RELEASED + 30_000 }],
    ["it changed before the release", { configMap: "settings", at: RELEASED - 30_000 }],
    ["it changed after the breach began", { configMap: "settings", at: START + 2 * STEP }],
    ["it is known good, or ours, or unseen", undefined],
  ])("is the code's where %s", (_, change) => {
    const changes = change === undefined ? [] : [change];
    expect(decided({ configuration: { changes } })).toMatchObject({ kind: "Rollback", plan: "application" });
  });

  it("is the code's where the code is proven guilty", () => {
    const ill = (hash: string, isIll: boolean) => ({ hash, isIll });
    const pods = [ill("h8", true), ill("h8", true), ill("h7", false), ill("h7", false)];
    const evidence = new Map([
      [stateKey(CRITICAL.name, WHOLE), { ill: { what: "OOMKilled", isComparable: true, pods } }],
    ]);
    expect(decided({ evidence })).toMatchObject({
      kind: "Rollback",
      plan: "application",
      attribution: { verdict: "Caused" },
    });
  });

  it("is not answered while the change settles", () => {
    const { policy } = decisionInput([]);
    expect(decided({ policy: { ...policy, lookbackMs: 4 * HOUR, settleMs: 600_000 } })).toMatchObject({
      kind: "Hold",
      reason: "Settling",
      message: expect.stringContaining("ConfigMap/settings changed at 14:00:00 and settles"),
    });
  });

  it("is not acted on where nobody saw when the release began", () => {
    const release = { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8" };
    expect(decided({ release })).toMatchObject({ kind: "Propose", plan: "application" });
  });
});
