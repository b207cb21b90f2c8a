import type { Progress } from "../../actions/action.ts";
import type { Phase, PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import type { Waiting } from "../../decision/answer-times.ts";
import type { RequestPlan } from "./situation.ts";
import type { Undo } from "./undo-plan.ts";

/** Why a step came to a bad end; the message says nothing of the step itself. */
export interface Failure {
  readonly reason: string;
  readonly message: string;
}

/** How a request ends. */
export interface Ending {
  readonly phase: Extract<
    Phase,
    "Succeeded" | "Failed" | "Compensated" | "Superseded" | "Denied" | "Expired" | "Aborted"
  >;
  readonly reason: string;
  readonly message: string;
  /** Condition Verified, where something was verified or could have been. */
  readonly verified?: { readonly status: "True" | "False" | "Unknown"; readonly reason: string };
}

/** Condition Approved. */
export interface ApprovedFact {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** The one next thing to do. Acting code has no opinions: all of them are here. */
export type Decision =
  | { readonly kind: "Rest" }
  | { readonly kind: "CleanUp" }
  | { readonly kind: "Plan" }
  | { readonly kind: "TakeLock" }
  | {
      readonly kind: "Announce";
      readonly plan: RequestPlan;
      /** Where an approval was needed. */
      readonly approved?: ApprovedFact | undefined;
    }
  /** Plan the open step again, since the ones before it took their time. */
  | { readonly kind: "Replan" }
  /** Announce the open step. */
  | { readonly kind: "BeginStep"; readonly planned: PlannedStep }
  /** The open step is done without an act of ours. */
  /** `after`: what its object is now, where that is not what its plan says. */
  | { readonly kind: "SkipStep"; readonly message: string; readonly after?: StepEnd | undefined }
  /** Stop the GitOps tools that would undo the change. */
  | { readonly kind: "Hold" }
  | { readonly kind: "Apply" }
  | { readonly kind: "Observe" }
  /** A write that the stored change needs to get further, and the look that said so. */
  | { readonly kind: "Advance"; readonly progress: Extract<Progress, { kind: "InProgress" }> }
  /** What the change became is known now: into ledger and journal with it. */
  | { readonly kind: "Record"; readonly after: StepEnd }
  | { readonly kind: "CompleteStep"; readonly progress: Extract<Progress, { kind: "Done" }> }
  /** The open step failed, and the request goes on with the next one. */
  | {
      readonly kind: "FailStep";
      readonly state: "Failed" | "Superseded";
      readonly failure: Failure;
    }
  /** The open step failed, and what was changed is undone, in this order. */
  | {
      readonly kind: "Compensate";
      readonly state: "Failed" | "Superseded";
      readonly failure: Failure;
      readonly undos: readonly Undo[];
    }
  | { readonly kind: "Verify" }
  | {
      readonly kind: "Wait";
      readonly phase: Extract<Phase, "Pending" | "Planning" | "AwaitingApproval" | "Applying" | "Verifying">;
      readonly reason: string;
      readonly message: string;
      readonly afterMs: number;
      readonly waiting?: Waiting | undefined;
      /** Where an approval is needed and its state is known. */
      readonly approved?: ApprovedFact | undefined;
    }
  | { readonly kind: "Finish"; readonly ending: Ending };

export function finish(phase: Ending["phase"], reason: string, message: string): Decision {
  return { kind: "Finish", ending: { phase, reason, message } };
}

/** Ends a request that changed nothing. */
export function refuse(reason: string, message: string): Decision {
  return finish("Failed", reason, `refused, nothing was changed: ${message}`);
}

export function wait(
  phase: Extract<Decision, { kind: "Wait" }>["phase"],
  reason: string,
  message: string,
  afterMs: number,
): Extract<Decision, { kind: "Wait" }> {
  return { kind: "Wait", phase, reason, message, afterMs };
}
