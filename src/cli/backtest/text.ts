import {
  ASSUMPTIONS,
  breachTimes,
  savedMs,
  type BacktestReport,
  type PastDecision,
  type SampleClass,
} from "../../backtest/report.ts";
import { WHOLE } from "../../decision/sample.ts";
import { formatSpan, formatValue } from "../../decision/sentence.ts";
import type { Colours } from "../output/colours.ts";
import { table } from "../output/table.ts";

/** The report for people. Times are UTC. */
export function textReport(
  report: BacktestReport,
  notes: readonly string[],
  colours: Colours,
): readonly string[] {
  const { decisions, end, releases } = report;
  const rolledBack = new Set(
    decisions.filter(({ action }) => action === "Rollback").map(({ release }) => release),
  ).size;
  const saved = savedMs(report);
  const gain = rolledBack === 0 ? "" : `, ${formatSpan(saved)} of breach saved`;
  return [
    `${count(releases, "release")}, ${samplesLine(report)}`,
    ...(decisions.length === 0
      ? ["no row fired"]
      : table(
          ["time (UTC)", "revision", "breach", "attribution", "decision"],
          decisions.map((decision) => cells(decision, end, colours)),
        )),
    `would have rolled back ${rolledBack} of ${count(releases, "release")}${gain}`,
    ...[...notes, ...report.notes].map((note) => `note: ${note}`),
    ...ASSUMPTIONS.map((assumption) => colours.dim(`assumed: ${assumption}`)),
  ];
}

function cells(decision: PastDecision, end: number, colours: Colours): readonly string[] {
  const { at, release, attribution } = decision;
  return [
    new Date(at).toISOString().slice(0, 19).replace("T", " "),
    release === undefined ? "unknown" : String(release.revision),
    breach(decision),
    attribution,
    outcome(decision, end, colours),
  ];
}

/** `error-rate of route=/models 22% > 10% for 2m`. */
function breach({ row, part, value, onset, at }: PastDecision): string {
  const signal = part === WHOLE ? row.signal : `${row.signal} of ${part}`;
  const sign = row.comparison === "above" ? ">" : "<";
  const level = `${formatValue(value, row.unit)} ${sign} ${formatValue(row.threshold, row.unit)}`;
  return at > onset ? `${signal} ${level} for ${formatSpan(at - onset)}` : `${signal} ${level}`;
}

function outcome(decision: PastDecision, end: number, { good, bad, doubtful }: Colours): string {
  const { action, to, why } = decision;
  const { inReality, here, isOver } = breachTimes(decision, end);
  const reality = `${formatSpan(inReality)}${isOver ? "" : " and more"} in reality`;
  switch (action) {
    case "Rollback": {
      const where = to === undefined ? "" : ` to revision ${to}`;
      return `${bad(`-> Rollback${where}`)}; breach lasted ${reality}, ${formatSpan(here)} here; ${why}`;
    }
    case "Propose":
      return `${doubtful("-> Propose")}; breach lasted ${reality}; ${why}`;
    case "Held":
      return `${good("-> held")}: ${why}; breach lasted ${reality}`;
    case "Prepare":
    case "Notify":
      return `-> ${action}; breach lasted ${reality}`;
  }
}

/** `2,073,600 samples: 99.1% Ok, 0.4% Breach, 0.5% InsufficientTraffic`. */
function samplesLine({ samples }: BacktestReport): string {
  const entries = Object.entries(samples) as readonly (readonly [SampleClass, number])[];
  const all = entries.reduce((sum, [, number]) => sum + number, 0);
  const shares = entries
    .filter(([, number]) => number > 0)
    .map(([name, number]) => `${percent(number / all)} ${name}`);
  return `${count(all, "sample")}${shares.length === 0 ? "" : `: ${shares.join(", ")}`}`;
}

/** What is there is never shown as nothing, and what is not all never as all. */
function percent(share: number): string {
  if (share > 0 && share < 0.001) return "<0.1%";
  if (share < 1 && share > 0.999) return ">99.9%";
  return `${Number((share * 100).toFixed(1))}%`;
}

function count(number: number, what: string): string {
  return `${number.toLocaleString("en-US")} ${what}${number === 1 ? "" : "s"}`;
}
