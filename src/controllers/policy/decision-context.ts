import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Deployment } from "../../kube/well-known.ts";
import type { CompiledPolicy } from "./compile.ts";
import type { GoingBreaches } from "./going-breaches.ts";
import { type RollbackReadiness } from "./readiness.ts";
import type { RecentRollbacks } from "./recent-rollbacks.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { type TargetView } from "./target.ts";

export interface DecisionContext {
  readonly runtime: PolicyRuntime;
  readonly recent: RecentRollbacks;
  readonly breaches: GoingBreaches;
  readonly compiled: CompiledPolicy;
  readonly policy: RollbackPolicy;
  readonly target: TargetKey;
  readonly deployment: Deployment;
  readonly view: TargetView;
  readonly ledger: RollbackLedgerSpec | undefined;
  /** Of now where a row that rolls back fires; otherwise the last one known. */
  readonly readiness: RollbackReadiness | undefined;
}
