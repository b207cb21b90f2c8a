import type { KubeObject, ObjectMeta } from "../kube/objects.ts";
import type { PodTemplateSpec } from "../kube/well-known.ts";

const STAKATER = "reloader.stakater.com";

/**
 * The tool that restarts the workload by itself when this ConfigMap changes, as annotations say; undefined when none
 * does. Sources: stakater/Reloader `internal/pkg/options`, `internal/pkg/handler/upgrade.go` (annotations count on the
 * workload and on its pod template); wave-k8s/wave README.
 */
export function reloaderOf(
  workload: Pick<KubeObject, "metadata"> & { readonly spec: { readonly template: PodTemplateSpec } },
  map: Pick<ObjectMeta, "name" | "annotations">,
): string | undefined {
  const annotations = { ...workload.spec.template.metadata?.annotations, ...workload.metadata.annotations };
  if (annotations["wave.pusher.com/update-on-config-change"] === "true") return "Wave";
  if (map.annotations?.[`${STAKATER}/ignore`] === "true") return undefined;
  const isOn = (annotation: string) => annotations[annotation] === "true";
  const names = annotations[`configmap.${STAKATER}/reload`]?.split(",").map((name) => name.trim()) ?? [];
  const excluded =
    annotations[`configmaps.exclude.${STAKATER}/reload`]?.split(",").map((name) => name.trim()) ?? [];
  const byAuto =
    (isOn(`${STAKATER}/auto`) || isOn(`configmap.${STAKATER}/auto`)) && !excluded.includes(map.name);
  const bySearch = isOn(`${STAKATER}/search`) && map.annotations?.[`${STAKATER}/match`] === "true";
  return names.includes(map.name) || byAuto || bySearch ? "Reloader" : undefined;
}
