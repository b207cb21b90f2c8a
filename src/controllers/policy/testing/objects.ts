import { RollbackPolicySpec } from "../../../crds/rollback-policy.ts";
import type { RollbackPolicy } from "../../../kube/rollback-kinds.ts";
import type { Deployment, ReplicaSet } from "../../../kube/well-known.ts";

/** Policies on Deployments of two revisions, the newer one live, as the API server would hold them. */

export const START = Date.UTC(2026, 10, 22, 14, 0, 0);

function metadataOf(name: string, uid: string) {
  const creationTimestamp = new Date(START - 30_000).toISOString();
  return { namespace: "shop", name, uid, resourceVersion: "1", generation: 1, creationTimestamp };
}

export function policy(name: string): RollbackPolicy {
  const ratio = { bad: 'errors_total{code="500"}', total: "requests_total", window: "4s" };
  const spec = RollbackPolicySpec.parse({
    target: { kind: "Deployment", name },
    serviceAccountName: "rollback-executor",
    interval: "1s",
    signals: [{ name: "error-rate", prometheus: { ratio } }],
    matrix: [
      { name: "critical", when: { signal: "error-rate", above: "0.1", for: "5s" }, action: "Rollback" },
    ],
    guards: { settle: "0s", cooldown: "30m", maxPerDay: 3, maxBreachAge: "20m" },
  });
  return { metadata: metadataOf(name, `p-${name}`), spec } as RollbackPolicy;
}

export function deployment(name: string, revision = 2): Deployment {
  const annotations = { "deployment.kubernetes.io/revision": String(revision) };
  const status = {
    observedGeneration: 1,
    replicas: 1,
    updatedReplicas: 1,
    availableReplicas: 1,
    readyReplicas: 1,
  };
  return {
    metadata: { ...metadataOf(name, `d-${name}`), annotations },
    spec: { template: { spec: { containers: [] } } },
    status,
  } as unknown as Deployment;
}

export function replicaSet(name: string, revision: number): ReplicaSet {
  const uid = `${name}-${revision}`;
  return {
    metadata: {
      ...metadataOf(uid, uid),
      labels: { "pod-template-hash": `${name}${revision}` },
      annotations: { "deployment.kubernetes.io/revision": String(revision) },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "Deployment", name, uid: `d-${name}`, controller: true },
      ],
    },
    spec: { replicas: 0, selector: {}, template: { spec: { containers: [] } } },
  } as unknown as ReplicaSet;
}
