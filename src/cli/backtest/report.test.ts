import { describe, expect, it } from "@jest/globals";
import { ASSUMPTIONS, type BacktestReport, type PastDecision } from "../../backtest/report.ts";
import { coloursOf } from "../output/colours.ts";
import { jsonReport } from "./json.ts";
import { textReport } from "./text.ts";

const MINUTE = 60_000;
const AT = Date.UTC(2026, 10, 3, 9, 14, 20);

const ROLLBACK: PastDecision = {
  at: AT,
  action: "Rollback",
  plan: "application",
  row: {
    name: "error-rate-critical",
    signal: "error-rate",
    unit: "ratio",
    comparison: "above",
    threshold: 0.1,
    forMs: 2 * MINUTE,
    severity: "SEV1",
    action: "Rollback",
    plan: "application",
    expiresAfterMs: 30 * MINUTE,
  },
  part: "",
  value: 0.22,
  onset: AT - 2 * MINUTE,
  attribution: "Caused",
  holdReason: undefined,
  reason: "error-rate 22% > 10% for 2m; caused by the last release: new pods 23% vs old pods 0.2%",
  why: "new pods 23% vs old pods 0.2%",
  release: {
    revision: 31,
    replicaSetUid: "rs-31",
    podTemplateHash: "hash31",
    startedAt: AT - 4 * MINUTE,
    completedAt: AT - 3 * MINUTE,
    image: "web:v31",
    isKnownGood: false,
  },
  to: 30,
  recoveredAt: AT + 45 * MINUTE,
};
const HELD: PastDecision = {
  ...ROLLBACK,
  at: AT + 600 * MINUTE,
  action: "Held",
  part: "route=/models",
  onset: AT + 590 * MINUTE,
  attribution: "Unlikely",
  holdReason: "Unattributed",
  reason: "held",
  why: "the same breach in 6 other workloads",
  to: undefined,
  recoveredAt: undefined,
};
const REPORT: BacktestReport = {
  start: AT - 60 * MINUTE,
  end: AT + 700 * MINUTE,
  intervalMs: 15_000,
  decisions: [ROLLBACK, HELD],
  samples: {
    Ok: 2_053_300,
    Breach: 8_000,
    InsufficientTraffic: 12_299,
    NoData: 1,
    Stale: 0,
    NaN: 0,
    Unproven: 0,
    Ambiguous: 0,
    Error: 0,
  },
  releases: 14,
  knownGood: [30],
  notes: ["signal oom-kills is left out"],
};

describe("report of a backtest", () => {
  it("for people: when, on what, why, and what it would have saved", () => {
    const lines = textReport(REPORT, ["a note"], coloursOf(false));
    expect(lines.slice(0, 6)).toEqual([
      "14 releases, 2,073,600 samples: 99% Ok, 0.4% Breach, 0.6% InsufficientTraffic, <0.1% NoData",
      "TIME (UTC)            REVISION   BREACH                                          ATTRIBUTION   DECISION",
      "2026-11-03 09:14:20   31         error-rate 22% > 10% for 2m                     Caused        -> Rollback to revision 30; breach lasted 47m in reality, 2m here; new pods 23% vs old pods 0.2%",
      "2026-11-03 19:14:20   31         error-rate of route=/models 22% > 10% for 10m   Unlikely      -> held: the same breach in 6 other workloads; breach lasted 1h50m and more in reality",
      "would have rolled back 1 of 14 releases, 45m of breach saved",
      "note: a note",
    ]);
    expect(lines.slice(-ASSUMPTIONS.length)).toEqual(ASSUMPTIONS.map((each) => `assumed: ${each}`));
  });

  it("for people: nothing happened", () => {
    const quiet = { ...REPORT, decisions: [], releases: 1, notes: [] };
    expect(textReport(quiet, [], coloursOf(false)).slice(1, 3)).toEqual([
      "no row fired",
      "would have rolled back 0 of 1 release",
    ]);
  });

  it("for programs", () => {
    expect(jsonReport(REPORT, ["a note"])).toMatchObject({
      decisions: [
        {
          at: "2026-11-03T09:14:20Z",
          row: "error-rate-critical",
          action: "Rollback",
          attribution: "Caused",
          reason: ROLLBACK.reason,
          values: {
            signal: "error-rate",
            value: 0.22,
            threshold: 0.1,
            breachSince: "2026-11-03T09:12:20Z",
            revision: 31,
            toRevision: 30,
            breachSeconds: 47 * 60,
            breachSecondsHere: 120,
          },
        },
        {
          action: "Held",
          values: { part: "route=/models", holdReason: "Unattributed", breachIsOver: false },
        },
      ],
      samples: REPORT.samples,
      range: { start: "2026-11-03T08:14:20Z", end: "2026-11-03T20:54:20Z", interval: "15s" },
      rolledBack: 1,
      breachSecondsSaved: 45 * 60,
      notes: ["a note", "signal oom-kills is left out"],
    });
  });
});
