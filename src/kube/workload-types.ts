import { defineResource, type KubeObject } from "./objects.ts";
import type { PodTemplateSpec } from "./pod-types.ts";
import type { LabelSelector, WireCondition } from "./well-known.ts";

export interface StatefulSet extends KubeObject {
  readonly spec: {
    /** Absent means 1. */
    readonly replicas?: number;
    readonly selector: LabelSelector;
    readonly template: PodTemplateSpec;
    /** Absent means OrderedReady. */
    readonly podManagementPolicy?: string;
    readonly updateStrategy?: {
      /** RollingUpdate or OnDelete; absent means RollingUpdate. */
      readonly type?: string;
      readonly rollingUpdate?: {
        /** Pods whose ordinal, counted from `ordinals.start`, is below it keep their revision. */
        readonly partition?: number;
        readonly maxUnavailable?: number | string;
      };
      readonly [field: string]: unknown;
    };
    /** Absent means that ordinals start at 0. */
    readonly ordinals?: { readonly start?: number };
    /** Absent means 10. */
    readonly revisionHistoryLimit?: number;
    readonly minReadySeconds?: number;
    readonly [field: string]: unknown;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly updatedReplicas?: number;
    /** Name of the ControllerRevision of the pods that are not updated yet. */
    readonly currentRevision?: string;
    /** Name of the ControllerRevision of the live template. */
    readonly updateRevision?: string;
    readonly conditions?: readonly WireCondition[];
    readonly [field: string]: unknown;
  };
}

export interface DaemonSet extends KubeObject {
  readonly spec: {
    readonly selector: LabelSelector;
    readonly template: PodTemplateSpec;
    readonly updateStrategy?: {
      /** RollingUpdate or OnDelete; absent means RollingUpdate. */
      readonly type?: string;
      readonly [field: string]: unknown;
    };
    /** Absent means 10. */
    readonly revisionHistoryLimit?: number;
    readonly minReadySeconds?: number;
    readonly [field: string]: unknown;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
    readonly numberReady?: number;
    readonly conditions?: readonly WireCondition[];
    readonly [field: string]: unknown;
  };
}

/** History of a StatefulSet or DaemonSet: `data` is a strategic merge patch that holds the template only. */
export interface ControllerRevision extends KubeObject {
  /** Rises when an old template becomes live again. */
  readonly revision: number;
  readonly data?: { readonly spec?: { readonly template?: PodTemplateSpec } };
}

export const statefulSetType = defineResource<StatefulSet>({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  plural: "statefulsets",
  namespaced: true,
});
export const daemonSetType = defineResource<DaemonSet>({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  plural: "daemonsets",
  namespaced: true,
});
export const controllerRevisionType = defineResource<ControllerRevision>({
  apiVersion: "apps/v1",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  namespaced: true,
});
