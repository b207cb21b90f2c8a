import { API_VERSION } from "../crds/common.ts";
import type { RollbackLedgerSpec } from "../crds/rollback-ledger.ts";
import type { RollbackPolicyStatus } from "../crds/policy-status.ts";
import type { RollbackPolicySpec } from "../crds/rollback-policy.ts";
import type { RollbackRequestSpec, RollbackRequestStatus } from "../crds/rollback-request.ts";
import { defineResource, type KubeObject } from "./objects.ts";

/** The Lease that the leader holds, where the operator is installed as its manifests do. */
export const LEADER_LEASE = { namespace: "rollback-system", name: "rollback-operator" } as const;

export interface RollbackPolicy extends KubeObject {
  readonly spec: RollbackPolicySpec;
  readonly status?: RollbackPolicyStatus;
}

export interface RollbackRequest extends KubeObject {
  readonly spec: RollbackRequestSpec;
  readonly status?: RollbackRequestStatus;
}

export interface RollbackLedger extends KubeObject {
  readonly spec: RollbackLedgerSpec;
}

export const ROLLBACK_POLICIES = defineResource<RollbackPolicy>({
  apiVersion: API_VERSION,
  kind: "RollbackPolicy",
  plural: "rollbackpolicies",
  namespaced: true,
});

export const ROLLBACK_REQUESTS = defineResource<RollbackRequest>({
  apiVersion: API_VERSION,
  kind: "RollbackRequest",
  plural: "rollbackrequests",
  namespaced: true,
});

export const ROLLBACK_LEDGERS = defineResource<RollbackLedger>({
  apiVersion: API_VERSION,
  kind: "RollbackLedger",
  plural: "rollbackledgers",
  namespaced: true,
});
