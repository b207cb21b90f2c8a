import type { RevisionRef, RollbackRequestSpec, RollbackRequestStatus } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";

type Condition = NonNullable<RollbackRequestStatus["conditions"]>[number];

export function conditionOf(
  type: string,
  status: Condition["status"],
  reason: string,
  message = "",
): Condition {
  return { type, status, reason, message, observedGeneration: 1, lastTransitionTime: "2026-06-01T10:00:00Z" };
}

export function revisionOf(revision: number, ...images: string[]): RevisionRef {
  const id = `${revision}`;
  return { revision, name: `web-${id}`, uid: `uid-${id}`, podTemplateHash: `hash${id}`, images };
}

/** A request about Deployment `shop/web`, revision 8 (v1.2.3) to 7 (v1.2.2). */
export function requestOf(
  status: RollbackRequestStatus | undefined,
  spec: Partial<RollbackRequestSpec> = {},
): RollbackRequest {
  return {
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackRequest",
    metadata: {
      name: "web-undo-x7k2p",
      namespace: "shop",
      uid: "request-uid",
      resourceVersion: "1",
      creationTimestamp: "2026-06-01T10:00:00Z",
    },
    spec: {
      reason: "INC-231 5xx",
      steps: [
        {
          name: "app",
          timeout: "5m",
          workload: { kind: "Deployment", name: "web", to: { strategy: "LastKnownGood" } },
        },
      ],
      approval: "Auto",
      expiresAfter: "30m",
      dryRun: false,
      onFailure: "Stop",
      deadline: "30m",
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

export const PLAN: NonNullable<RollbackRequestStatus["plan"]> = {
  digest: "5f2c0d",
  steps: [
    {
      name: "app",
      digest: "5f2c",
      action: "workload",
      object: "Deployment/web",
      objectUid: "deployment-uid",
      from: revisionOf(8, "registry/web:v1.2.3", "proxy:v9"),
      to: revisionOf(7, "registry/web:v1.2.2", "proxy:v9"),
      changes: ["template.spec.containers[app].image"],
      warnings: ["the old one is old"],
    },
  ],
};

export const TIMELINE = {
  accepted: "2026-06-01T10:00:00.000Z",
  applied: "2026-06-01T10:00:00.070Z",
  completed: "2026-06-01T10:00:09.000Z",
  verified: "2026-06-01T10:02:09.000Z",
} as const;
