import type { RowAction } from "../../decision/row.ts";
import type { Actions } from "../../actions/registry.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import type { EventRecord } from "../../kube/events.ts";
import type { RollbackLedger, RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Store } from "../../kube/store.ts";
import type { Deployment, ReplicaSet } from "../../kube/well-known.ts";
import type { PrometheusServers } from "../../prometheus/servers.ts";
import type { ClusterSignals } from "../../signals/cluster-signals.ts";
import type { UnaskedRuns } from "./unasked-runs.ts";
import type { GitOpsPorts } from "../gitops.ts";
import type { KillSwitchState } from "../kill-switch-state.ts";

/** What policies do, for logs and metrics. */
export interface PolicyObserver {
  sampled(state: string): void;
  decided(fact: {
    readonly policy: string;
    readonly row: string;
    readonly action: RowAction;
    readonly verdict: "Rollback" | "Propose" | "Prepare" | "Notify" | "Held";
    readonly reason: string;
    readonly request: string | undefined;
    /** From the instant the row fired to the decision, where something was decided to be done. */
    readonly detectionSeconds: number | undefined;
  }): void;
}

/** Everything the PolicyController needs from outside. */
export interface PolicyPorts {
  /** Acts as the operator itself. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly actions: Actions;
  readonly gitOps: GitOpsPorts;
  readonly servers: PrometheusServers;
  /** For signals that the cluster itself tells. */
  readonly cluster?: ClusterSignals;
  readonly killSwitch: () => KillSwitchState;
  readonly policies: Store<RollbackPolicy>;
  readonly requests: Store<RollbackRequest>;
  readonly ledgers: Store<RollbackLedger>;
  readonly deployments: Store<Deployment>;
  readonly replicaSets: Store<ReplicaSet>;
  readonly record: (event: EventRecord) => void;
  readonly observer: PolicyObserver;
  readonly unaskedRuns: Pick<UnaskedRuns, "note" | "forget">;
  readonly automaticRollbacksPer10Minutes: number;
  /** So many targets that begin to breach together look like a shared dependency; 0 = never. */
  readonly sharedBreachTargets: number;
  /** An id that nobody can foresee. */
  readonly newId: () => string;
}

/** Index of the policy store: `namespace/Kind/name` of the target. */
export const POLICIES_BY_TARGET = "target";
export function policyTarget({ metadata, spec }: RollbackPolicy): readonly string[] {
  return [`${metadata.namespace}/${spec.target.kind}/${spec.target.name}`];
}

/** Index of the ReplicaSet store: UID of the controlling owner. */
export const REPLICA_SETS_BY_OWNER = "owner";
export function replicaSetOwner({ metadata }: ReplicaSet): readonly string[] {
  return (metadata.ownerReferences ?? [])
    .filter(({ controller }) => controller === true)
    .map(({ uid }) => uid);
}
