import { toldBreach } from "../../controllers/policy/breach-condition.ts";
import { matrixFacts, type PolicyRules } from "../../controllers/policy/rules.ts";
import type { RollbackPolicyStatus, SignalState } from "../../crds/policy-status.ts";
import { strength } from "../../decision/matrix.ts";
import type { RowAction, Severity } from "../../decision/row.ts";
import type { FiringRow } from "./guard-input.ts";
import type { Snapshot } from "./snapshot.ts";

/** How a signal stood when it last changed. */
export interface SignalFinding {
  readonly name: string;
  /** NotMeasured: the operator has told nothing of it. */
  readonly state: SignalState | "NotMeasured";
  /** RFC 3339. */
  readonly since?: string;
  /** Value or the server's words, when that state began. */
  readonly detail?: string;
  /** Without a verdict nothing is done. */
  readonly hasVerdict: boolean;
}

/** A row in force, and where it is as far as the status tells: that tells one of several rows that breach. */
export interface RowFinding {
  readonly name: string;
  readonly when: string;
  readonly action: RowAction;
  readonly severity: Severity;
  readonly plan: string;
  readonly phase: "Firing" | "Pending" | "Quiet" | "NoVerdict" | "Untold";
  /** RFC 3339, of a row that fires or is pending. */
  readonly since?: string;
  /** RFC 3339, of a row that is pending. */
  readonly firesAt?: string;
}

export function signalFindings({ policy: { spec, status } }: Snapshot): readonly SignalFinding[] {
  return spec.signals.map(({ name }) => {
    const told = status?.signals?.find((each) => each.name === name);
    if (told === undefined) return { name, state: "NotMeasured", hasVerdict: false };
    const { state, since, value, detail = value } = told;
    const hasVerdict = state === "Ok" || state === "Breach";
    return { name, state, since, ...(detail === undefined ? {} : { detail }), hasVerdict };
  });
}

export function rowFindings(
  { policy: { status }, now }: Snapshot,
  rules: PolicyRules,
  signals: readonly SignalFinding[],
): readonly RowFinding[] {
  const told = toldBreach(status, now);
  const texts = matrixFacts(rules);
  return rules.rows.map(({ name, action, severity, plan, forMs, signal: watched }, index) => {
    const facts = { name, when: texts[index]?.when ?? "", action, severity, plan };
    if ((told.kind === "Firing" || told.kind === "Pending") && told.row === name) {
      const since = iso(told.since);
      return told.kind === "Firing"
        ? { ...facts, phase: "Firing", since }
        : { ...facts, phase: "Pending", since, firesAt: iso(told.since + forMs) };
    }
    const signal = signals.find((each) => each.name === watched);
    if (signal?.hasVerdict !== true) return { ...facts, phase: "NoVerdict" };
    return { ...facts, phase: signal.state === "Breach" ? "Untold" : "Quiet" };
  });
}

/**
 * The strongest row that fires, as far as the status tells: the one of the condition Breached, or the one that was last
 * decided on in this breach.
 */
export function firingRow(
  { policy: { status }, now }: Snapshot,
  { rows }: PolicyRules,
): FiringRow | undefined {
  const told = toldBreach(status, now);
  if (told.kind !== "Firing") return undefined;
  const decided = decidedSince(status, told.since);
  const candidates = rows
    .filter(({ name }) => name === told.row || name === decided)
    .toSorted((a, b) => strength(b.action) - strength(a.action));
  const [row] = candidates;
  return row === undefined ? undefined : { row, since: told.since };
}

function decidedSince(status: RollbackPolicyStatus | undefined, since: number): string | undefined {
  const decision = status?.lastDecision;
  return decision !== undefined && Date.parse(decision.at) >= since ? decision.row : undefined;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
