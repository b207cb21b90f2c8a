import { defineResource, type KubeObject } from "./objects.ts";
import type { PodTemplateSpec } from "./pod-types.ts";
import type { LabelSelector, WireCondition } from "./well-known.ts";

/** Argo Rollouts' own kind of workload. Its template is kept as it was written: no defaults are filled in. */
export interface Rollout extends KubeObject {
  readonly spec: {
    /** Absent means 1. */
    readonly replicas?: number;
    readonly paused?: boolean;
    /** Absent with a workloadRef. */
    readonly selector?: LabelSelector;
    /** Not there with a workloadRef, whose object holds it. */
    readonly template: PodTemplateSpec;
    readonly workloadRef?: { readonly kind?: string; readonly name?: string };
    /** Exactly one member. */
    readonly strategy?: { readonly canary?: RolloutCanary; readonly blueGreen?: RolloutBlueGreen };
    /** Going back over fewer revisions than this skips steps and analysis. */
    readonly rollbackWindow?: { readonly revisions?: number };
    /** Seconds; absent means 600. */
    readonly progressDeadlineSeconds?: number;
    /** Absent means 10. */
    readonly revisionHistoryLimit?: number;
    readonly minReadySeconds?: number;
    readonly [field: string]: unknown;
  };
  readonly status?: {
    /** A number as text. */
    readonly observedGeneration?: string;
    /** Healthy, Progressing, Paused or Degraded. */
    readonly phase?: string;
    readonly message?: string;
    /** Hash of the ReplicaSet of the wanted template. */
    readonly currentPodHash?: string;
    /** Hash of the ReplicaSet that was last fully promoted. */
    readonly stableRS?: string;
    readonly abort?: boolean;
    /** When the controller took an abort up. */
    readonly abortedAt?: string;
    readonly pauseConditions?: readonly RolloutPause[];
    /** It was the controller that paused it; true without a pauseCondition until a promotion is seen. */
    readonly controllerPause?: boolean;
    readonly currentStepIndex?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly canary?: {
      readonly weights?: { readonly canary?: { readonly weight?: number } };
      readonly [field: string]: unknown;
    };
    readonly blueGreen?: { readonly activeSelector?: string; readonly [field: string]: unknown };
    readonly conditions?: readonly WireCondition[];
    readonly [field: string]: unknown;
  };
}

export interface RolloutPause {
  /** CanaryPauseStep, BlueGreenPause or InconclusiveAnalysisRun. */
  readonly reason: string;
  readonly startTime?: string;
}

export interface RolloutCanary {
  readonly stableService?: string;
  readonly canaryService?: string;
  readonly steps?: readonly Readonly<Record<string, unknown>>[];
  readonly trafficRouting?: Readonly<Record<string, unknown>>;
  readonly analysis?: Readonly<Record<string, unknown>>;
  readonly antiAffinity?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface RolloutBlueGreen {
  readonly activeService?: string;
  readonly previewService?: string;
  /** Absent means true. */
  readonly autoPromotionEnabled?: boolean;
  readonly antiAffinity?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export const rolloutType = defineResource<Rollout>({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  plural: "rollouts",
  namespaced: true,
});
