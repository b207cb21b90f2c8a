import type { TargetKey } from "../../actions/action.ts";
import type { Actions } from "../../actions/registry.ts";
import type { SoakRuns } from "../../checks/soak-runs.ts";
import type { ClusterView } from "../../decision/guards/guard.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Clock } from "../../kube/clock.ts";
import type { EventRecord } from "../../kube/events.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { GitOpsPorts } from "../gitops.ts";
import type { CachedLedger } from "../ledger/ledger.ts";
import type { KillSwitchState } from "../kill-switch-state.ts";
import type { TargetLocks } from "./target-lock.ts";

/** A step of a request that ended. */
export interface FinishedStep {
  readonly name: string;
  readonly action: string;
  /** As namespace/name. */
  readonly object: string;
  readonly state: string;
  readonly from: string;
  readonly to: string;
  /** From its announcement to its end, where it got that far. */
  readonly seconds: number | undefined;
}

/** What happened, for logs and metrics. */
export interface RequestObserver {
  /** One line per act: who, what, from where to where. */
  acted(fact: {
    readonly request: string;
    readonly uid: string;
    readonly executor: string;
    readonly step: string;
    readonly action: string;
    readonly object: string;
    readonly from: string;
    readonly to: string;
    readonly digest: string;
  }): void;
  finished(fact: {
    readonly request: string;
    readonly uid: string;
    readonly trigger: "automatic" | "person";
    readonly result: string;
    readonly reason: string;
    readonly message: string;
    readonly why: string;
    /** From the first breach to the end of the verification, where both are known. */
    readonly recoverySeconds: number | undefined;
    /** The steps that were announced. */
    readonly steps: readonly FinishedStep[];
  }): void;
}

/** Everything the RequestController needs from outside. */
export interface RequestPorts {
  /** Acts as the operator itself. */
  readonly client: KubeClient;
  /** The request as the cache has it, by `namespace/name`: only for facts that never change. */
  readonly cached: (key: string) => RollbackRequest | undefined;
  /** Where a write says whether it was the newest. */
  readonly cachedLedger: CachedLedger;
  /** Policies that watch it, as the cache has them. */
  readonly policiesOn: (target: TargetKey) => readonly RollbackPolicy[];
  /** The workload without its template, as the cache has it; annotations of ours are kept. */
  readonly workload: (target: TargetKey) => KubeObject | undefined;
  /** Automatic rollbacks in the whole cluster. */
  readonly cluster: () => Pick<ClusterView, "automaticRollbacks" | "maxPerTenMinutes">;
  /** Whether nothing would hold an automatic rollback by this plan of the policy right now. */
  readonly mayRunUnasked: (policy: RollbackPolicy, plan: string) => boolean;
  readonly clock: Clock;
  readonly actions: Actions;
  readonly locks: TargetLocks;
  readonly gitOps: GitOpsPorts;
  readonly verifications: SoakRuns;
  readonly killSwitch: () => KillSwitchState;
  readonly defaultExecutor: string | undefined;
  readonly record: (event: EventRecord) => void;
  readonly observer: RequestObserver;
}
