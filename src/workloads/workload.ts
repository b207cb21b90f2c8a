import type { WorkloadKind } from "../crds/common.ts";
import type { ObjectKey, ResourceType } from "../kube/objects.ts";
import { rolloutType, type Rollout } from "../kube/rollout-types.ts";
import { deploymentType, replicaSetType, type Deployment, type ReplicaSet } from "../kube/well-known.ts";
import {
  controllerRevisionType,
  daemonSetType,
  statefulSetType,
  type ControllerRevision,
  type DaemonSet,
  type StatefulSet,
} from "../kube/workload-types.ts";

/** A workload as it is now, without its history. */
export type LiveWorkload =
  | { readonly kind: "Deployment"; readonly object: Deployment }
  | { readonly kind: "StatefulSet"; readonly object: StatefulSet }
  | { readonly kind: "DaemonSet"; readonly object: DaemonSet }
  | { readonly kind: "Rollout"; readonly object: Rollout };

/** Those whose pods are their own; the others have ReplicaSets in between. */
export type LiveSet = Extract<LiveWorkload, { readonly kind: "StatefulSet" | "DaemonSet" }>;

/** Whether ReplicaSets are its revisions, and own its pods. */
export function hasReplicaSets<T extends LiveWorkload>(
  workload: T,
): workload is Extract<T, { readonly kind: "Deployment" | "Rollout" }> {
  return workload.kind === "Deployment" || workload.kind === "Rollout";
}

export interface WorkloadKey extends ObjectKey {
  readonly kind: WorkloadKind;
}

/** Where a kind lives, and where its history does. */
export const WORKLOAD_TYPES: Readonly<Record<WorkloadKind, ResourceType<LiveWorkload["object"]>>> = {
  Deployment: deploymentType,
  StatefulSet: statefulSetType,
  DaemonSet: daemonSetType,
  Rollout: rolloutType,
};
export const REVISION_TYPES: Readonly<Record<WorkloadKind, ResourceType<ReplicaSet | ControllerRevision>>> = {
  Deployment: replicaSetType,
  StatefulSet: controllerRevisionType,
  DaemonSet: controllerRevisionType,
  Rollout: replicaSetType,
};

/** Gives an object its kind for the compiler. */
export function asWorkload(kind: WorkloadKind, object: LiveWorkload["object"]): LiveWorkload {
  return { kind, object } as LiveWorkload;
}

/** `StatefulSet/db`. */
export function workloadTitle({ kind, name }: Pick<WorkloadKey, "kind" | "name">): string {
  return `${kind}/${name}`;
}

/** The inverse, in a namespace. Throws TypeError on anything else. */
export function parseWorkloadTitle(title: string, namespace: string): WorkloadKey {
  const [kind = "", name = ""] = title.split("/");
  if (!isWorkloadKind(kind) || name === "") throw new TypeError(`"${title}" does not name a workload`);
  return { kind, namespace, name };
}

export function isWorkloadKind(kind: string): kind is WorkloadKind {
  return Object.hasOwn(WORKLOAD_TYPES, kind);
}

/** How many pods a StatefulSet keeps at their revision: those of the lowest ordinals. */
export function partitionOf({ spec }: StatefulSet): number {
  return isOnDelete(spec) ? 0 : (spec.updateStrategy?.rollingUpdate?.partition ?? 0);
}

/** Pods keep their revision until somebody deletes them. */
export function isOnDelete(spec: { readonly updateStrategy?: { readonly type?: string } }): boolean {
  return spec.updateStrategy?.type === "OnDelete";
}
