import { causeBegan } from "./release.ts";
import type { Comparison, Unit } from "./row.ts";

/** Every fact of a breach; the one sentence about it is built here. Times in ms since the epoch. */
export interface BreachFacts {
  readonly signal: string;
  readonly unit: Unit;
  readonly value: number;
  readonly comparison: Comparison;
  readonly threshold: number;
  /** First breach of the unbroken run and the latest one. */
  readonly since: number;
  readonly lastBreachAt: number;
  /** First breach since the last Ok verdict: earlier than `since` when the data had a gap. */
  readonly onset: number;
  readonly release: StartedRelease | undefined;
  /** What was found out about the cause, if it was looked for. */
  readonly attribution?: CauseFacts | undefined;
}

interface StartedRelease {
  readonly revision: number;
  readonly startedAt?: number | undefined;
  readonly configMap?: string | undefined;
}

interface CauseFacts {
  readonly verdict: "Caused" | "Likely" | "Unlikely" | "Unknown";
  /** The release that did it, when it is not the live one. */
  readonly cause?: StartedRelease | undefined;
  /** What the evidence says, without the times. */
  readonly finding?: string | undefined;
}

/**
 * E.g. `error-rate 12.4% > 10% for 2m10s since 14:03:20, 1m35s after revision 7 started; new pods 23% vs old pods 0.2%:
 * caused by revision 7`. Clock times are UTC.
 */
export function breachSentence(facts: BreachFacts): string {
  const sign = facts.comparison === "above" ? ">" : "<";
  const level = `${facts.signal} ${formatValue(facts.value, facts.unit)} ${sign} ${formatValue(facts.threshold, facts.unit)}`;
  const now = facts.lastBreachAt;
  const span = facts.lastBreachAt - facts.since;
  const time =
    span > 0
      ? `for ${formatSpan(span)} since ${clockTime(facts.since, now)}`
      : `at ${clockTime(facts.since, now)}`;
  const gap =
    facts.onset < facts.since
      ? ` (first seen at ${clockTime(facts.onset, now)}, before a gap in the data)`
      : "";
  const finding = findingOf(facts.attribution);
  return `${level} ${time}${gap}${againstStart(facts)}${finding === undefined ? "" : `; ${finding}`}`;
}

/** What speaks for the release; what speaks against it is told by the guard that holds it back. */
function findingOf(attribution: CauseFacts | undefined): string | undefined {
  switch (attribution?.verdict) {
    case "Caused":
    case "Likely":
      return attribution.finding;
    case "Unlikely":
    case "Unknown":
    case undefined:
      return undefined;
  }
}

function againstStart({ attribution, onset, ...facts }: BreachFacts): string {
  const release = attribution?.cause ?? facts.release;
  if (release?.startedAt === undefined) {
    return "";
  }
  const distance = onset - release.startedAt;
  const relation = distance >= 0 ? "after" : "before";
  return `, ${formatSpan(Math.abs(distance))} ${relation} ${causeBegan(release)}`;
}

/** Three significant digits: a ratio as percent, seconds with `s`, a count bare. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case "ratio":
      return `${significant(value * 100)}%`;
    case "seconds":
      return `${significant(value)}s`;
    case "count":
      return significant(value);
  }
}

function significant(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

/** A length of time in ms for people: `900ms`, `12s`, `1m30s`, `2h5m`; whole seconds from one second on. */
export function formatSpan(ms: number): string {
  if (ms > 0 && ms < 1000) {
    return `${Math.round(ms)}ms`;
  }
  const total = Math.round(ms / 1000);
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const seconds = total % 60;
  const parts = [
    hours > 0 ? `${hours}h` : "",
    minutes > 0 ? `${minutes}m` : "",
    seconds > 0 ? `${seconds}s` : "",
  ];
  return parts.join("") || "0s";
}

/** As `formatSpan`, in whole seconds and not below 0: for a length between times of two clocks. */
export function formatSeconds(ms: number): string {
  return formatSpan(Math.max(0, Math.round(ms / 1_000) * 1_000));
}

/** `14:03:20` on the UTC day of `now`, otherwise `2026-11-22T14:03:20Z`; `an unknown time` when out of range. */
export function clockTime(ms: number, now: number): string {
  const text = instant(ms);
  if (text === undefined) {
    return "an unknown time";
  }
  return text.slice(0, 10) === instant(now)?.slice(0, 10) ? text.slice(11, 19) : text;
}

function instant(ms: number): string | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : `${date.toISOString().slice(0, 19)}Z`;
}
