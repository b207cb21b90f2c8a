import { WHOLE } from "../../decision/sample.ts";
import {
  ASSUMPTIONS,
  breachTimes,
  savedMs,
  type BacktestReport,
  type PastDecision,
} from "../../backtest/report.ts";

/** The report for programs. Lengths in seconds, instants in RFC 3339. */
export function jsonReport(report: BacktestReport, notes: readonly string[]): unknown {
  const { decisions, samples, start, end, intervalMs, releases, knownGood } = report;
  return {
    decisions: decisions.map((decision) => jsonDecision(decision, end)),
    samples,
    range: { start: time(start), end: time(end), interval: `${intervalMs / 1_000}s` },
    releases,
    rolledBack: decisions.filter(({ action }) => action === "Rollback").length,
    breachSecondsSaved: Math.round(savedMs(report) / 1_000),
    becameKnownGood: knownGood,
    assumptions: ASSUMPTIONS,
    notes: [...notes, ...report.notes],
  };
}

function jsonDecision(decision: PastDecision, end: number): unknown {
  const { at, row, part, action, attribution, reason, value, onset, holdReason, release, to } = decision;
  const { inReality, here, isOver } = breachTimes(decision, end);
  return {
    at: time(at),
    row: row.name,
    action,
    attribution,
    reason,
    values: {
      signal: row.signal,
      ...(part === WHOLE ? {} : { part }),
      value,
      threshold: row.threshold,
      unit: row.unit,
      breachSince: time(onset),
      ...(release === undefined ? {} : { revision: release.revision, releasedAt: time(release.startedAt) }),
      ...(to === undefined ? {} : { toRevision: to }),
      plan: decision.plan,
      ...(holdReason === undefined ? {} : { holdReason }),
      breachSeconds: Math.round(inReality / 1_000),
      breachIsOver: isOver,
      ...(action === "Rollback" ? { breachSecondsHere: Math.round(here / 1_000) } : {}),
    },
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.000Z$/, "Z");
}
