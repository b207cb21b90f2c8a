import type { PlannedStep, RevisionRef } from "../crds/rollback-request.ts";
import type { RollbackLedgerSpec } from "../crds/rollback-ledger.ts";
import type { KubeClient } from "../kube/client.ts";

/** An object that a step writes; also the key of its lock and of its ledger. */
export interface TargetKey {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A right that the executor needs. Without an optional one the plan says what stayed unchecked. */
export interface Right {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verb: string;
  /** Restricts the right to one object; absent for lists. */
  readonly name?: string;
}

export interface PlanContext {
  /** Client that acts as the tenant's ServiceAccount. */
  readonly executor: KubeClient;
  readonly executorName: string;
  readonly namespace: string;
  readonly ledger: RollbackLedgerSpec | undefined;
  /** The release that was live when the request was accepted, once that is recorded. */
  readonly from: RevisionRef | undefined;
  /** The live state that the requester means to undo. */
  readonly expectedPodTemplateHash: string | undefined;
  /** An automatic request never falls back to a revision without a record. */
  readonly automatic: boolean;
  readonly signal: AbortSignal;
}

export type PlanResult<Plan> =
  | { readonly kind: "Planned"; readonly plan: Plan }
  | { readonly kind: "NothingToDo"; readonly message: string }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string }
  | { readonly kind: "Superseded"; readonly message: string }
  /** The world is between two states; ask again. */
  | { readonly kind: "Pending"; readonly message: string; readonly pollAfterMs: number };

export interface ApplyContext {
  readonly executor: KubeClient;
  readonly namespace: string;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** When the change of this step was seen stored, milliseconds since the epoch. */
  readonly appliedAt: number | undefined;
}

export type ApplyResult =
  /** The change is stored, now or by an earlier try of ours. */
  | { readonly kind: "Applied"; readonly alreadyThere: boolean }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string }
  | { readonly kind: "Superseded"; readonly message: string };

export type Progress =
  | { readonly kind: "Done"; readonly message: string; readonly after: RevisionRef }
  | {
      readonly kind: "InProgress";
      readonly message: string;
      readonly pollAfterMs: number;
      /** What the change became, once its own controller has taken it up. */
      readonly after?: RevisionRef;
    }
  | {
      readonly kind: "Failed";
      readonly reason: string;
      readonly message: string;
      readonly after?: RevisionRef;
    }
  | { readonly kind: "Superseded"; readonly message: string }
  /** Nothing can be told: the executor lost its rights after the step began. Made by the controller. */
  | { readonly kind: "Unreadable"; readonly message: string };

/**
 * One kind of step. Planning changes nothing; applying is idempotent and guarded by preconditions at
 * the API server; what `observe` sees decides, not what `apply` answered (answers get lost).
 */
export interface Action<Spec, Plan extends PlannedStep> {
  readonly kind: string;
  /** Rights without which the step is refused before anything is read. */
  requiredRights(spec: Spec): readonly Right[];
  /** Everything the step writes. */
  lockKeys(spec: Spec, namespace: string): readonly TargetKey[];
  /** `stepName` is the name of the step in its request. */
  plan(stepName: string, spec: Spec, context: PlanContext): Promise<PlanResult<Plan>>;
  apply(plan: Plan, context: ApplyContext): Promise<ApplyResult>;
  observe(plan: Plan, context: ApplyContext): Promise<Progress>;
  /** The way back, as a plan of the same action. Valid only while the live object still equals `after`. */
  reverse(plan: Plan): Plan;
}
