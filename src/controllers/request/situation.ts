import type { PlanResult, Progress } from "../../actions/action.ts";
import type { SoakState } from "../../checks/soak-runs.ts";
import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { PlannedHold } from "../../crds/gitops-hold.ts";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import type { SetHold } from "../../gitops/set-hold.ts";
import type { RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Resolution } from "./resolve.ts";
import type { LockState } from "./target-lock.ts";
import type { KillSwitchState } from "../kill-switch-state.ts";
import type { Twin } from "./twin.ts";

/** All steps of a request as they would be carried out. */
export interface RequestPlan {
  /** Over the digests of the steps in their order. */
  readonly digest: string;
  readonly steps: readonly PlannedStep[];
  /** GitOps tools' objects that are stopped before the first change; absent where there are none. */
  readonly holds?: PlannedHold[];
}

/** Ledgers of the targets by the hash of their key; undefined where nothing was ever recorded. */
export type Ledgers = ReadonlyMap<string, RollbackLedgerSpec | undefined>;

/** Everything that is known about a request in one pass; what was not looked at yet is undefined. */
export interface Situation {
  /** Read uncached in this pass, or as the last write of this pass returned it. */
  readonly request: RollbackRequest;
  readonly resolution: Resolution;
  readonly ledgers: Ledgers;
  /** Set when the operator itself made this request: recorded in the ledger before the request was created. */
  readonly automatic: LedgerAutomatic | undefined;
  /** A request of the same name and spec, but another UID, that acted before. */
  readonly twin: Twin | undefined;
  /** An automatic proposal that nobody answers may run: nothing would hold a rollback now. */
  readonly mayRunUnasked: boolean;
  readonly killSwitch: KillSwitchState;
  /** The policy that it names, as it is now; what was copied at acceptance does not change with it. */
  readonly policy: RollbackPolicy | undefined;
  /** The object whose annotation forbids every act, as `Kind/name`. */
  readonly frozenBy: string | undefined;
  /** All steps, planned before anything was announced. */
  readonly plan: PlanResult<RequestPlan> | undefined;
  readonly lock: LockState | undefined;
  /** How the holds stand that were announced. */
  readonly holding: SetHold | undefined;
  /** A later step, planned again right before its act. */
  readonly replanned: PlanResult<PlannedStep> | undefined;
  /** How the open step stands; when all are done, how all that was changed stands together. */
  readonly progress: Progress | undefined;
  readonly verification: SoakState | undefined;
}
