import type { PlanResult, Progress } from "../../actions/action.ts";
import type { WorkloadPlan } from "../../actions/workload/index.ts";
import type { CheckVerdict } from "../../checks/soak.ts";
import type { LedgerAutomatic, LedgerExecuted, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Resolution } from "./resolve.ts";
import type { LockState } from "./target-lock.ts";

export type KillSwitchState =
  | { readonly kind: "Off" }
  | { readonly kind: "On"; readonly message: string }
  /** Automatic acts are held; people may act. */
  | { readonly kind: "Unreadable"; readonly message: string };

/** A check with what is known of it now. */
export interface CheckState extends CheckVerdict {
  readonly name: string;
}

export interface VerificationState {
  readonly checks: readonly CheckState[];
  /** When the last soak ends, milliseconds since the epoch. */
  readonly endAt: number;
  /** When the next sample is due, milliseconds since the epoch. */
  readonly nextAt: number;
}

/** Everything that is known about a request in one pass; what was not looked at yet is undefined. */
export interface Situation {
  /** Read uncached in this pass, or as the last write of this pass returned it. */
  readonly request: RollbackRequest;
  readonly resolution: Resolution;
  readonly ledger: RollbackLedgerSpec | undefined;
  /** Set when the operator itself made this request: recorded in the ledger before the request was created. */
  readonly automatic: LedgerAutomatic | undefined;
  /** A request of the same name and spec, but another UID, that acted before. */
  readonly twin: LedgerExecuted | undefined;
  readonly killSwitch: KillSwitchState;
  readonly plan: PlanResult<WorkloadPlan> | undefined;
  readonly lock: LockState | undefined;
  readonly progress: Progress | undefined;
  readonly verification: VerificationState | undefined;
}
