import type { KubeClient } from "../../../kube/client.ts";
import type { Rollout } from "../../../kube/rollout-types.ts";
import { isObserved } from "../../../workloads/rollout-state.ts";
import { sendStatus } from "./send-status.ts";

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
export function resumeStable(rollout: Rollout, executor: KubeClient, signal: AbortSignal): Promise<unknown> {
  const path = "/status/pauseConditions";
  const change = [
    { op: "test", path, value: rollout.status?.pauseConditions },
    { op: "remove", path },
  ] as const;
  return sendStatus(rollout, change, executor, signal);
}
