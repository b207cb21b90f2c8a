import type { Restored } from "../checks/check.ts";
import type { RollbackLedgerSpec } from "../crds/rollback-ledger.ts";
import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { PlannedStep, StepEnd } from "../crds/rollback-request.ts";
import type { GitOpsRule } from "../gitops/rule.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Right } from "../kube/right.ts";

export type { Right } from "../kube/right.ts";

/** A right that a step needs. */
export interface StepRight extends Right {
  /** Every plan with something to do uses it, dry runs included: one that could be made proves it. */
  readonly usedByPlan?: true;
}

/** An object that a step writes; also the key of its lock and of its ledger. */
export interface TargetKey {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** What earlier steps of the same request make of the object of a later one. */
export interface EarlierSteps {
  /** What their plans say before they ran, what they became afterwards; all of them together. */
  readonly end: StepEnd;
  /** They ran: the object must be in this state now. */
  readonly done: boolean;
}

export interface PlanContext {
  /** Client that acts as the tenant's ServiceAccount. */
  readonly executor: KubeClient;
  readonly executorName: string;
  readonly namespace: string;
  /** Ledger of the object that the step writes. */
  readonly ledger: RollbackLedgerSpec | undefined;
  /** The state that was live when the request was accepted, once that is recorded. */
  readonly from: StepEnd | undefined;
  /** Set for a step whose object an earlier step of the same request changes. */
  readonly earlier: EarlierSteps | undefined;
  /** The live state that the requester means to undo. */
  readonly expectedPodTemplateHash: string | undefined;
  /** Images that a step may pin beyond those of the target's history. */
  readonly allowedImages: readonly string[];
  /** Workloads, as Kind/name, whose pods other steps of the request replace, by where those stand. */
  readonly podsReplacedBy?:
    { readonly before: readonly string[]; readonly after: readonly string[] } | undefined;
  /** What is done about objects that a GitOps tool owns. */
  readonly gitOps: GitOpsRule;
  /** An automatic request never falls back to a revision without a record. */
  readonly automatic: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

export type PlanResult<Plan> =
  | { readonly kind: "Planned"; readonly plan: Plan }
  | {
      readonly kind: "NothingToDo";
      readonly message: string;
      /** What is not complete of the state that was asked for, such as pods that are not ready. */
      readonly incomplete?: string | undefined;
      /** The state that is there already, for those who check it. */
      readonly live?: StepEnd;
    }
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
  /** What checks between two steps go by. */
  readonly soak: {
    /** Names the samples of this step among those of all requests. */
    readonly key: string;
    readonly restored: readonly Restored[];
    readonly signals: readonly PolicySignal[];
  };
}

export type ApplyResult =
  /** The change is stored, now or by an earlier try of ours. */
  | { readonly kind: "Applied"; readonly alreadyThere: boolean }
  /** What the change needs first is under way; the change itself is not made yet. Apply again. */
  | { readonly kind: "Preparing"; readonly message: string; readonly pollAfterMs: number }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string }
  | { readonly kind: "Superseded"; readonly message: string };

export type Progress =
  | { readonly kind: "Done"; readonly message: string; readonly after?: StepEnd }
  | {
      readonly kind: "InProgress";
      readonly message: string;
      readonly pollAfterMs: number;
      /** What the change became, once its own controller has taken it up. */
      readonly after?: StepEnd;
      /** The change does not get further without a write that `advance` makes. */
      readonly needsAdvance?: true;
    }
  | {
      readonly kind: "Failed";
      readonly reason: string;
      readonly message: string;
      readonly after?: StepEnd;
    }
  | { readonly kind: "Superseded"; readonly message: string }
  /** Nothing can be told: the executor lost its rights after the step began. Made by the controller. */
  | { readonly kind: "Unreadable"; readonly message: string };

/** What `advance` did, or what holds it back (a disruption budget, a missing right): one sentence for people. */
export interface Advance {
  readonly message: string;
}

/**
 * One kind of step. Planning changes nothing; applying is idempotent and guarded by preconditions at
 * the API server; what `observe` sees decides, not what `apply` answered (answers get lost).
 */
export interface Action<Spec, Plan extends PlannedStep> {
  /** Name of the member of a step that holds the spec. */
  readonly kind: string;
  /**
   * What it makes is a release of a workload, and what it leaves is bad: the ledger records the one and marks the
   * other. Then both ends of its plans are revisions.
   */
  readonly makesRelease: boolean;
  /** It changes a workload's pod template, so what it leaves is a revision of its own. */
  readonly changesTemplate: boolean;
  /** The object it writes, as Kind/name. */
  objectOf(spec: Spec): string;
  /** Rights without which the step is refused before anything is read. */
  requiredRights(spec: Spec): readonly StepRight[];
  /** Everything the step writes; the first is the object itself. */
  lockKeys(spec: Spec, namespace: string): readonly TargetKey[];
  /** `stepName` is the name of the step in its request. */
  plan(stepName: string, spec: Spec, context: PlanContext): Promise<PlanResult<Plan>>;
  /** A stored plan as one of this action; undefined when members are missing, as after an edit by hand. */
  narrow(planned: PlannedStep): Plan | undefined;
  /** `spec` is that of the step, for values that a plan must not hold; a way back does without. */
  apply(plan: Plan, context: ApplyContext, spec?: Spec): Promise<ApplyResult>;
  observe(plan: Plan, context: ApplyContext): Promise<Progress>;
  /**
   * Writes that the change needs after it was stored, such as evicting pods that nothing else replaces. Idempotent;
   * looks at the world again and does at most the next small part, with preconditions. Called between two looks while
   * `observe` says InProgress with `needsAdvance`; never while the kill switch is on, never after an abort. Being held
   * back is an answer, not an error. Throws KubeError.
   */
  advance?(plan: Plan, context: ApplyContext): Promise<Advance>;
  /** The way back from what the change became, as a plan of the same action. Valid only while that is live. */
  reverse(plan: Plan, after: StepEnd): Plan;
}
