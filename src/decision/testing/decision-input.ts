import type { DecisionInput } from "../decide.ts";
import type { RowEvaluation } from "../matrix.ts";
import type { Row } from "../row.ts";

export const STEP = 15_000;
export const START = Date.UTC(2026, 10, 22, 14, 0, 0);

export const CRITICAL: Row = {
  name: "critical",
  signal: "error-rate",
  unit: "ratio",
  comparison: "above",
  threshold: 0.1,
  forMs: 60_000,
  severity: "SEV1",
  action: "Rollback",
  plan: "application",
  expiresAfterMs: 1_800_000,
};

/** Nothing holds anything: a release at START with a known good one before it, five evaluations later. */
export function decisionInput(
  evaluations: readonly RowEvaluation[],
  change: Partial<DecisionInput> = {},
): DecisionInput {
  return {
    now: START + 5 * STEP,
    killSwitch: "Off",
    policy: {
      mode: "Enforce",
      suspended: false,
      executor: "rollback-executor",
      intervalMs: STEP,
      lookbackMs: 3_600_000,
      require: "Likely",
      settleMs: 60_000,
      cooldownMs: 1_800_000,
      maxPerDay: 3,
      maxBreachAgeMs: 1_200_000,
    },
    release: { replicaSetUid: "rs-8", revision: 8, podTemplateHash: "h8", startedAt: START },
    previous: [],
    rollbackTarget: { revision: 7, replicaSetUid: "rs-7", podTemplateHash: "h7" },
    ledger: { automaticRollbacks: [], requestsOfRelease: [], pendingRows: new Set() },
    cluster: { automaticRollbacks: [], maxPerTenMinutes: 5, otherOnsets: [], sharedBreachTargets: 5 },
    plans: [{ name: "application", goesBack: true }],
    evidence: new Map(),
    frozenBy: undefined,
    openFreezes: [],
    hotfixEta: undefined,
    watchingSince: START - 3_600_000,
    target: { uid: "uid-api", name: "api" },
    evaluations,
    ...change,
  };
}
