import { defineResource, type KubeObject, type ResourceType } from "./objects.ts";
import type { LabelSelector, WireCondition } from "./well-known.ts";

/** Kinds of apps/v1 whose number of pods can be set. */
export type ScalableKind = "Deployment" | "StatefulSet";

/** autoscaling/v1 Scale, the subresource `scale`: fields that are 0 or empty are left out on the wire. */
export interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas: number; readonly selector?: string };
}

/** What Deployments and StatefulSets have in common as far as their number of pods goes. */
export interface ScalableWorkload extends KubeObject {
  readonly spec: { readonly selector: LabelSelector; readonly [field: string]: unknown };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly conditions?: readonly WireCondition[];
    readonly [field: string]: unknown;
  };
}

/** autoscaling/v2. */
export interface HorizontalPodAutoscaler extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef: { readonly apiVersion?: string; readonly kind: string; readonly name: string };
    /** Absent means 1. */
    readonly minReplicas?: number;
    readonly maxReplicas: number;
    readonly [field: string]: unknown;
  };
  readonly status?: { readonly desiredReplicas?: number; readonly [field: string]: unknown };
}

const PLURALS: Readonly<Record<ScalableKind, string>> = {
  Deployment: "deployments",
  StatefulSet: "statefulsets",
};

export function scalablePlural(kind: ScalableKind): string {
  return PLURALS[kind];
}

export function scalableType(kind: ScalableKind): ResourceType<ScalableWorkload> {
  return defineResource({ apiVersion: "apps/v1", kind, plural: PLURALS[kind], namespaced: true });
}

/** To be read and patched with `subresource: "scale"`. */
export function scaleType(kind: ScalableKind): ResourceType<Scale> {
  return defineResource({ apiVersion: "apps/v1", kind, plural: PLURALS[kind], namespaced: true });
}

export const horizontalPodAutoscalerType = defineResource<HorizontalPodAutoscaler>({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  namespaced: true,
});
