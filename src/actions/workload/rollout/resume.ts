import type { KubeClient } from "../../../kube/client.ts";
import { FIELD_MANAGER } from "../../../kube/field-manager.ts";
import type { JsonPatchOperation } from "../../../kube/patch.ts";
import { rolloutType, type Rollout } from "../../../kube/rollout-types.ts";
import { isObserved } from "../../../workloads/rollout-state.ts";

/**
 * Whether Argo Rollouts waits for a promotion of the very version that it calls stable, while the Service still names
 * another one: with `autoPromotionEnabled: false` it does so on the way back too. Its own abort would ask nobody. Pure.
 */
export function waitsForPromotionOfStable(rollout: Rollout): boolean {
  const { currentPodHash, stableRS, blueGreen, pauseConditions = [] } = rollout.status ?? {};
  return (
    isObserved(rollout) &&
    currentPodHash !== undefined &&
    currentPodHash === stableRS &&
    blueGreen?.activeSelector !== currentPodHash &&
    pauseConditions.some(({ reason }) => reason === "BlueGreenPause")
  );
}

/** As `kubectl argo rollouts promote` does it, of this pause of this version only. Throws KubeError; 422 as ever. */
export function resumeStable(
  { metadata, spec, status }: Rollout,
  executor: KubeClient,
  signal: AbortSignal,
): Promise<unknown> {
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: metadata.uid },
    { op: "test", path: "/spec/template", value: spec.template },
    { op: "test", path: "/status/stableRS", value: status?.stableRS },
    { op: "test", path: "/status/pauseConditions", value: status?.pauseConditions },
    { op: "remove", path: "/status/pauseConditions" },
  ];
  return executor.patch(
    rolloutType,
    { namespace: metadata.namespace ?? "", name: metadata.name },
    { kind: "json", operations },
    { signal, subresource: "status", fieldManager: FIELD_MANAGER },
  );
}
