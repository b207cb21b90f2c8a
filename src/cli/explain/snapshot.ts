import type { OperatorConfig } from "../../config/schema.ts";
import type { KillSwitchState } from "../../controllers/kill-switch-state.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackLedger, RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Deployment, ReplicaSet } from "../../kube/well-known.ts";
import type { Seen } from "./seen.ts";

/** What one user sees around one policy at one instant. */
export interface Snapshot {
  /** ms since the epoch. */
  readonly now: number;
  readonly namespace: string;
  /** For printed commands, as in a session. */
  readonly namespaceFlag: string;
  readonly policy: RollbackPolicy;
  readonly deployment: Seen<Deployment | undefined>;
  readonly replicaSets: Seen<readonly ReplicaSet[]>;
  readonly ledger: Seen<RollbackLedgerSpec | undefined>;
  /** Of the policy's namespace. */
  readonly requests: Seen<readonly RollbackRequest[]>;
  /** Of all namespaces. */
  readonly ledgers: Seen<readonly RollbackLedger[]>;
  readonly policies: Seen<readonly RollbackPolicy[]>;
  readonly config: Seen<OperatorConfig>;
  readonly killSwitch: Seen<KillSwitchState>;
  readonly operator: Seen<OperatorState>;
}

/** Whether somebody does the work. */
export interface OperatorState {
  readonly leads: boolean;
  readonly message: string;
}
