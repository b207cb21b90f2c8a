import type { Attribution } from "../attribution/attribute.ts";
import type { Release } from "../release.ts";
import type { KnownGoodRevision } from "../known-good.ts";
import type { RowEvaluation } from "../matrix.ts";
import type { Severity } from "../row.ts";

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
  | "Denied"
  | "Expired"
  | "HotfixAwaited"
  | "Frozen"
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
  /** The weakest attribution on which a row may roll back by itself. */
  readonly require: "Caused" | "Likely";
  readonly settleMs: number;
  readonly cooldownMs: number;
  readonly maxPerDay: number;
  readonly maxBreachAgeMs: number;
}

/** One of the policy's plans. */
export interface PlanView {
  readonly name: string;
  /** It puts the target back to its last known good revision. */
  readonly goesBack: boolean;
  /** Names of the ConfigMaps whose content it puts back. */
  readonly configMaps?: readonly string[];
}

/** A freeze window of the policy that is open now. */
export interface OpenFreeze {
  readonly name: string;
  /** When it ends, ms since the epoch. */
  readonly until: number;
  /** Severities that may act all the same. */
  readonly allow: readonly Severity[];
}

/** What the target's ledger says. */
export interface LedgerView {
  /** Instants (ms since the epoch) of automatic rollbacks of this target, at least of the last 24 hours and the cool-down. */
  readonly automaticRollbacks: readonly number[];
  /** Automatic requests for the live release, of every plan. */
  readonly requestsOfRelease: readonly AutomaticRequest[];
  /** Rows that were already pending or firing before this process began to watch. */
  readonly pendingRows: ReadonlySet<string>;
}

export interface AutomaticRequest {
  readonly name: string;
  readonly action: "Rollback" | "Propose";
  readonly plan: string;
  /** When it was decided, ms since the epoch. */
  readonly at: number;
  /** Onset of the breach that it answers, ms since the epoch. */
  readonly breachSince: number | undefined;
  /**
   * Waiting: a proposal that nobody answered yet. EndedUnapplied: finished before anything was written, so that another
   * attempt is allowed. Aborted, Denied: the same, but because a person said so. Expired: because nobody said anything.
   */
  readonly state: "Open" | "Waiting" | "Applied" | "EndedUnapplied" | "Aborted" | "Denied" | "Expired";
}

/** Automatic rollbacks of all targets. */
export interface ClusterView {
  /** Instants (ms since the epoch), at least of the last ten minutes. */
  readonly automaticRollbacks: readonly number[];
  readonly maxPerTenMinutes: number;
  /** Onsets (ms since the epoch) of the breaches of other targets that go on now. */
  readonly otherOnsets: readonly number[];
  /** So many targets that begin to breach together look like a shared dependency; 0 = never. */
  readonly sharedBreachTargets: number;
}

/** The snapshot that every guard looks at. */
export interface GuardInput {
  readonly now: number;
  readonly killSwitch: "Off" | "On" | "Unreadable";
  readonly policy: PolicyView;
  /** What would be made: a rollback at once, or a question to a person. */
  readonly intent: "Rollback" | "Propose";
  readonly plan: PlanView;
  readonly evaluation: RowEvaluation;
  readonly onset: number;
  readonly release: Release | undefined;
  readonly attribution: Attribution;
  readonly rollbackTarget: KnownGoodRevision | undefined;
  readonly ledger: LedgerView;
  readonly cluster: ClusterView;
  /** The object whose annotation forbids every act. */
  readonly frozenBy: string | undefined;
  readonly openFreezes: readonly OpenFreeze[];
  /** When somebody expects a hotfix to be out, ms since the epoch. */
  readonly hotfixEta: number | undefined;
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
