import { OperatorConfig } from "../../../config/schema.ts";
import type { RollbackPolicyStatus } from "../../../crds/policy-status.ts";
import { RollbackLedgerSpec, type LedgerAutomatic } from "../../../crds/rollback-ledger.ts";
import { RollbackPolicySpec } from "../../../crds/rollback-policy.ts";
import type { RollbackPolicy } from "../../../kube/rollback-kinds.ts";
import { revisionIdentities } from "../../../workloads/revisions.ts";
import { deploymentOf, replicaSetOf, type Release } from "../../../workloads/testing/history.ts";
import { hidden, seen, type Seen } from "../seen.ts";
import type { Snapshot } from "../snapshot.ts";

export const NOW = Date.parse("2026-11-22T14:05:33Z");

/** RFC 3339, so many seconds before NOW. */
export function ago(seconds: number): string {
  return new Date(NOW - seconds * 1_000).toISOString();
}

const RELEASES: readonly Release[] = [
  { revision: 7, image: "web:v1" },
  { revision: 8, image: "web:v2" },
];
const DEPLOYMENT = deploymentOf(RELEASES);
const REPLICA_SETS = RELEASES.map(replicaSetOf);
const [LIVE, GOOD] = revisionIdentities(DEPLOYMENT, REPLICA_SETS);

type Condition = NonNullable<RollbackPolicyStatus["conditions"]>[number];

export function condition(
  type: string,
  status: Condition["status"],
  reason: string,
  message: string,
): Condition {
  return { type, status, reason, message, lastTransitionTime: ago(600), observedGeneration: 3 };
}

/** Revision 8 is live and Ok, revision 7 is known good, nothing is in the way. */
export const CALM_STATUS: RollbackPolicyStatus = {
  observedGeneration: 3,
  conditions: [
    condition("Ready", "True", "Evaluating", "2 signals Ok"),
    condition("RollbackReady", "True", "Planned", "would go back to revision 7 (web:v1)"),
    condition("Breached", "False", "NoBreach", "no row breaches"),
  ],
  signals: [
    { name: "error-rate", state: "Ok", value: "0.2%", since: ago(7_200) },
    { name: "p95-latency", state: "Ok", value: "0.31s", since: ago(7_200) },
  ],
};

const SIGNALS = [
  {
    name: "error-rate",
    prometheus: {
      ratio: { bad: 'http_requests_total{status=~"5.."}', total: "http_requests_total", window: "1m" },
      match: { app: "web" },
    },
  },
  {
    name: "p95-latency",
    prometheus: {
      quantile: { quantile: "0.95", histogram: "http_request_duration_seconds", window: "1m" },
      match: { app: "web" },
    },
  },
];

export function policyOf(spec: object = {}, status: Partial<RollbackPolicyStatus> = {}): RollbackPolicy {
  return {
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: {
      name: "api",
      namespace: "shop",
      uid: "policy-uid",
      resourceVersion: "1",
      creationTimestamp: "2026-06-01T10:00:00Z",
      generation: 3,
    },
    spec: RollbackPolicySpec.parse({
      target: { kind: "Deployment", name: "web" },
      serviceAccountName: "rollback-executor",
      signals: SIGNALS,
      ...spec,
    }),
    status: { ...CALM_STATUS, ...status },
  };
}

/** The status of a policy whose row `error-rate-critical` fires since so many seconds. */
export function firing(seconds: number): Partial<RollbackPolicyStatus> {
  const since = ago(seconds).slice(11, 19);
  const message = `row error-rate-critical fires: error-rate breaches since ${since}`;
  return {
    conditions: [
      ...(CALM_STATUS.conditions ?? []).filter(({ type }) => type !== "Breached"),
      condition("Breached", "True", "RowFires", message),
    ],
    signals: [
      { name: "error-rate", state: "Breach", value: "22%", since: ago(seconds) },
      ...(CALM_STATUS.signals ?? []).slice(1),
    ],
  };
}

export function ledgerOf(facts: Partial<RollbackLedgerSpec> = {}): RollbackLedgerSpec {
  return RollbackLedgerSpec.parse({
    target: { group: "apps", kind: "Deployment", namespace: "shop", name: "web" },
    releases: [
      {
        targetUid: "deployment-uid",
        replicaSetUid: LIVE?.uid,
        podTemplateHash: LIVE?.podTemplateHash,
        revision: 8,
        startedAt: ago(720),
      },
    ],
    knownGood: [
      {
        replicaSetUid: GOOD?.uid,
        podTemplateHash: GOOD?.podTemplateHash,
        revision: 7,
        since: ago(90_000),
        evidence: "",
      },
    ],
    ...facts,
  });
}

/** An automatic rollback of the release before this one, so many seconds ago. */
export function acted(seconds: number): LedgerAutomatic {
  return {
    request: "web-auto-1",
    uid: "request-uid",
    replicaSetUid: "older",
    podTemplateHash: "older",
    revision: 6,
    attempt: 1,
    at: ago(seconds),
    trigger: {},
  };
}

/** What an administrator sees of the calm policy, with some of it changed. */
export function snapshotOf(change: Partial<Snapshot> = {}): Snapshot {
  return {
    now: NOW,
    namespace: "shop",
    namespaceFlag: " -n shop",
    policy: policyOf(),
    deployment: seen(DEPLOYMENT),
    replicaSets: seen(REPLICA_SETS),
    ledger: seen(ledgerOf()),
    requests: seen([]),
    ledgers: seen([]),
    policies: seen([]),
    config: seen(
      OperatorConfig.parse({
        prometheus: { servers: [{ name: "default", url: "http://prometheus:9090", scrapeInterval: "15s" }] },
      }),
    ),
    killSwitch: seen({ kind: "Off" }),
    operator: seen({ leads: true, message: "pod-1 leads" }),
    ...change,
  };
}

/** The same as somebody who may only read the policy. */
export function blindSnapshotOf(change: Partial<Snapshot> = {}): Snapshot {
  const no = (what: string): Seen<never> => hidden(`no right to ${what}`);
  return snapshotOf({
    deployment: no("get deployments"),
    replicaSets: no("list replicasets"),
    ledger: no("get rollbackledgers"),
    requests: no("list rollbackrequests"),
    ledgers: no("list rollbackledgers in all namespaces"),
    policies: no("list rollbackpolicies in all namespaces"),
    config: no("get ConfigMap rollback-system/rollback-operator, the operator's configuration"),
    killSwitch: no("get ConfigMap rollback-system/rollback-kill-switch"),
    operator: hidden("its Lease cannot be read"),
    ...change,
  });
}
