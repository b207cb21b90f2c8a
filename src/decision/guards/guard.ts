import type { Attribution } from "../attribution/attribute.ts";
import type { Release } from "../release.ts";
import type { KnownGoodRevision } from "../known-good.ts";
import type { RowEvaluation } from "../matrix.ts";

/** Why an automatic act was not made: one word, used as the reason of conditions and events. */
export type HoldReason =
  | "KillSwitch"
  | "Suspended"
  | "ModeObserve"
  | "ExecutorNotSet"
  | "Settling"
  | "BreachTooOld"
  | "Unattributed"
  | "NoKnownGoodRevision"
  | "NothingToDo"
  | "TargetBusy"
  | "AlreadyExecuted"
  | "Aborted"
  | "Cooldown"
  | "BudgetSpent"
  | "BlastRadius"
  /** The plan itself is refused: missing rights, missing dependencies, another owner. */
  | "NotReady";

/** The policy's settings that decisions read; lengths in ms. */
export interface PolicyView {
  readonly mode: "Enforce" | "Observe";
  readonly suspended: boolean;
  readonly executor: string | undefined;
  readonly intervalMs: number;
  readonly lookbackMs: number;
  readonly settleMs: number;
  readonly cooldownMs: number;
  readonly maxPerDay: number;
  readonly maxBreachAgeMs: number;
}

/** What the target's ledger says. */
export interface LedgerView {
  /** Instants (ms since the epoch) of automatic rollbacks of this target, at least of the last 24 hours and the cool-down. */
  readonly automaticRollbacks: readonly number[];
  /** Automatic requests for the live release. */
  readonly requestsOfRelease: readonly AutomaticRequest[];
  /** Rows that were already pending or firing before this process began to watch. */
  readonly pendingRows: ReadonlySet<string>;
}

export interface AutomaticRequest {
  readonly name: string;
  /** When it was decided, ms since the epoch. */
  readonly at: number;
  /**
   * EndedUnapplied: finished before anything was written, so that another attempt is allowed. Aborted: the same, but
   * because a person said so.
   */
  readonly state: "Open" | "Applied" | "EndedUnapplied" | "Aborted";
}

/** Automatic rollbacks of all targets. */
export interface ClusterView {
  /** Instants (ms since the epoch), at least of the last ten minutes. */
  readonly automaticRollbacks: readonly number[];
  readonly maxPerTenMinutes: number;
}

/** The snapshot that every guard looks at. */
export interface GuardInput {
  readonly now: number;
  readonly killSwitch: "Off" | "On" | "Unreadable";
  readonly policy: PolicyView;
  readonly evaluation: RowEvaluation;
  readonly onset: number;
  readonly release: Release | undefined;
  readonly attribution: Attribution;
  readonly rollbackTarget: KnownGoodRevision | undefined;
  readonly ledger: LedgerView;
  readonly cluster: ClusterView;
  /** When this process began to evaluate the policy (ms since the epoch); history before it was read back. */
  readonly watchingSince: number;
}

export type GuardResult =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly reason: HoldReason;
      readonly message: string;
      /** When this guard will allow it again (ms since the epoch), where that is known. */
      readonly retryAt?: number;
    };

export type Guard = (input: GuardInput) => GuardResult;

export const ALLOWED: GuardResult = { allowed: true };

export function refused(reason: HoldReason, message: string, retryAt?: number): GuardResult {
  return retryAt === undefined
    ? { allowed: false, reason, message }
    : { allowed: false, reason, message, retryAt };
}
