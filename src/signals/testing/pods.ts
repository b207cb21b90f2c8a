import type { Pod } from "../../kube/pod-types.ts";

export const T0 = Date.UTC(2026, 10, 29, 10, 0, 0);

export function iso(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
}

type Status = NonNullable<Pod["status"]>;
type Containers = NonNullable<Status["containerStatuses"]>;

export interface PodShape {
  readonly name?: string;
  readonly uid?: string;
  readonly replicaSet?: string;
  readonly createdAt?: number;
  readonly version?: number;
  readonly metadata?: Partial<Pod["metadata"]>;
  readonly container?: Record<string, unknown>;
  readonly spec?: Record<string, unknown>;
  readonly status?: Partial<Status>;
  readonly containers?: readonly Partial<Containers[number]>[];
}

/** A pod as the API server gives it: of ReplicaSet `web-2`, whose UID is `rs-2`, unless told otherwise. */
export function pod(shape: PodShape = {}): Pod {
  const { name = "web-2-a", replicaSet = "2", createdAt = T0, version = 1 } = shape;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "shop",
      uid: shape.uid ?? `uid-${name}`,
      resourceVersion: String(version),
      creationTimestamp: iso(createdAt),
      labels: { "pod-template-hash": replicaSet },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: `web-${replicaSet}`,
          uid: `rs-${replicaSet}`,
          controller: true,
        },
      ],
      ...shape.metadata,
    },
    spec: { containers: [{ name: "app", image: "web:v2", ...shape.container }], ...shape.spec },
    status: {
      phase: "Running",
      containerStatuses: (shape.containers ?? [{}]).map((each) => ({
        name: "app",
        ready: true,
        restartCount: 0,
        image: "web:v2",
        imageID: "",
        state: { running: { startedAt: iso(createdAt) } },
        ...each,
      })),
      ...shape.status,
    },
  };
}

/** The end of a container's run. */
export function ended(id: string, at: number, reason = "OOMKilled", ranMs = 5_000) {
  return {
    terminated: {
      exitCode: reason === "Completed" ? 0 : 137,
      reason,
      startedAt: iso(at - ranMs),
      finishedAt: iso(at),
      containerID: `containerd://${id.padEnd(64, "0")}`,
    },
  };
}
