import type { KubeClient } from "../kube/client.ts";
import { listIfServed } from "../kube/list-if-served.ts";
import { defineResource, type KubeObject } from "../kube/objects.ts";
import { horizontalPodAutoscalerType, type HorizontalPodAutoscaler } from "../kube/scale-types.ts";

/** keda.sh/v1alpha1. */
export interface ScaledObject extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name: string };
  };
}

export const scaledObjectType = defineResource<ScaledObject>({
  apiVersion: "keda.sh/v1alpha1",
  kind: "ScaledObject",
  plural: "scaledobjects",
  namespaced: true,
});

export const PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas";

/** What scales a workload by itself. */
export interface Autoscalers {
  readonly hpa: HorizontalPodAutoscaler | undefined;
  readonly scaledObject: ScaledObject | undefined;
  /** What could not be looked at. */
  readonly warnings: readonly string[];
}

interface Target {
  readonly kind: string;
  readonly name: string;
}

/** Reads as the executor; without the right to list a kind it warns. Throws KubeError. */
export async function autoscalersOf(
  target: Target,
  executor: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<Autoscalers> {
  const [hpas, scaledObjects] = await Promise.all([
    listIfServed(horizontalPodAutoscalerType, executor, namespace, signal),
    listIfServed(scaledObjectType, executor, namespace, signal),
  ]);
  return {
    hpa: hpas.items.find(({ spec }) => names(spec.scaleTargetRef, target)),
    scaledObject: scaledObjects.items.find(({ spec }) => names(spec.scaleTargetRef, target)),
    warnings: [...hpas.warnings, ...scaledObjects.warnings],
  };
}

/** Whether a HorizontalPodAutoscaler moves the number of replicas by itself while there are any. */
export function isMovedByHpa({ hpa }: Autoscalers): boolean {
  return hpa !== undefined;
}

export type AutoscalerVerdict =
  | { readonly kind: "Free"; readonly warnings: readonly string[] }
  | { readonly kind: "Owned"; readonly message: string };

/**
 * Whether a number of replicas would stay if we wrote it. A classic HorizontalPodAutoscaler does nothing while there
 * are 0 replicas, so going there and coming back is left to us; KEDA activates from 0 by design.
 */
export function judgeAutoscalers(autoscalers: Autoscalers, from: number, to: number): AutoscalerVerdict {
  const { hpa, scaledObject, warnings } = autoscalers;
  if (scaledObject !== undefined) {
    const keda = judgeKeda(scaledObject, to);
    if (keda.kind === "Owned") return keda;
    return { kind: "Free", warnings: [...warnings, ...keda.warnings] };
  }
  if (hpa === undefined) return { kind: "Free", warnings };
  const { minReplicas = 1, maxReplicas } = hpa.spec;
  const who = `HorizontalPodAutoscaler ${hpa.metadata.name}`;
  if (to === 0) {
    return minReplicas === 0
      ? owned(
          `${who}, which with minReplicas 0 may start it again: set its minReplicas to 1, then 0 replicas stay`,
        )
      : free(warnings, `${who} stands still while there are 0 replicas, and takes over once there are more`);
  }
  if (from === 0) {
    return free(
      warnings,
      `${who} takes over once there are replicas, and keeps between ${minReplicas} and ${maxReplicas}`,
    );
  }
  return owned(
    `${who}, which would write over the number: change its minReplicas (${minReplicas}) or maxReplicas (${maxReplicas}) instead`,
  );
}

function judgeKeda({ metadata }: ScaledObject, to: number): AutoscalerVerdict {
  const who = `KEDA ScaledObject ${metadata.name}`;
  if (metadata.annotations?.[PAUSED_REPLICAS] === String(to)) {
    return free(
      [],
      `${who} is paused at ${to} replicas by its annotation; it takes over once that is removed`,
    );
  }
  return owned(`${who}: set its annotation ${PAUSED_REPLICAS}: "${to}" instead, and remove it afterwards`);
}

function owned(message: string): AutoscalerVerdict {
  return { kind: "Owned", message: `scaled by ${message}` };
}

function free(warnings: readonly string[], warning: string): AutoscalerVerdict {
  return { kind: "Free", warnings: [...warnings, warning] };
}

function names(
  ref: { readonly apiVersion?: string; readonly kind?: string; readonly name: string } | undefined,
  { kind, name }: Target,
): boolean {
  const group = ref?.apiVersion?.split("/")[0] ?? "apps";
  // KEDA leaves the kind of a Deployment out.
  return group === "apps" && (ref?.kind ?? "Deployment") === kind && ref?.name === name;
}
