import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import { clockTime } from "../../decision/sentence.ts";
import { phaseOf } from "../../decision/window.ts";
import type { PolicyRuntime } from "./runtime.ts";

export interface Breach {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** Condition Breached: True while a row fires. */
export function breachOf({ evaluations }: Pick<PolicyRuntime, "evaluations">, now: number): Breach {
  const phases = evaluations.map((evaluation) => ({
    ...evaluation,
    phase: phaseOf(evaluation.window, evaluation.row.forMs),
  }));
  const firing = phases.find(({ phase }) => phase === "Firing");
  if (firing !== undefined) {
    const since = clockTime(firing.window.run?.since ?? firing.at, now);
    return {
      status: "True",
      reason: "RowFires",
      message: `row ${firing.row.name} fires: ${firing.row.signal} breaches since ${since}`,
    };
  }
  const pending = phases.find(({ phase }) => phase === "Pending");
  if (pending !== undefined) {
    const since = pending.window.run?.since ?? pending.at;
    return {
      status: "False",
      reason: "RowPending",
      message: `${pending.row.signal} breaches since ${clockTime(since, now)}, row ${pending.row.name} fires at ${clockTime(since + pending.row.forMs, now)}`,
    };
  }
  const verdicts = evaluations.filter(({ verdict }) => verdict !== "None");
  return verdicts.length === 0
    ? { status: "Unknown", reason: "NoVerdict", message: "no signal gives a verdict" }
    : { status: "False", reason: "NoBreach", message: "no row breaches" };
}

/** What the condition tells of the rows. */
export type ToldBreach =
  | { readonly kind: "Firing" | "Pending"; readonly row: string; readonly since: number }
  | { readonly kind: "Quiet" }
  /** Nothing is known about the rows, and why. */
  | { readonly kind: "Unknown"; readonly message: string };

const FIRING = /^row (?<row>\S+) fires: \S+ breaches since (?<since>\S+)$/;
const PENDING = /^\S+ breaches since (?<since>\S+), row (?<row>\S+) fires at \S+$/;

/**
 * The other way round: what `breachOf` put into the condition. The windows themselves are in the operator's memory only.
 * Of several rows that breach it tells one.
 */
export function toldBreach(status: RollbackPolicyStatus | undefined, now: number): ToldBreach {
  const condition = status?.conditions?.find(({ type }) => type === "Breached");
  if (condition === undefined) return { kind: "Unknown", message: "no operator has told of its rows yet" };
  const { reason, message } = condition;
  if (reason === "NoBreach") return { kind: "Quiet" };
  const pattern = { RowFires: FIRING, RowPending: PENDING }[reason];
  const { row, since = "" } = pattern?.exec(message)?.groups ?? {};
  const at = instantOf(since, now);
  if (row === undefined || at === undefined) return { kind: "Unknown", message };
  return { kind: reason === "RowFires" ? "Firing" : "Pending", row, since: at };
}

/** Clocks of two machines differ by less, ms. */
const SKEW_MS = 60_000;
const DAY_MS = 86_400_000;

/** The newest instant that `clockTime` writes so, ms since the epoch. */
function instantOf(text: string, now: number): number | undefined {
  const full = text.includes("T") ? text : `${new Date(now).toISOString().slice(0, 10)}T${text}Z`;
  const at = Date.parse(full);
  if (Number.isNaN(at)) return undefined;
  return at > now + SKEW_MS ? at - DAY_MS : at;
}
