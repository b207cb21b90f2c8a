import type { KubeClient } from "../../../kube/client.ts";
import type { Rollout } from "../../../kube/rollout-types.ts";
import { needsNudge, sendNudge } from "./nudge.ts";
import { sendStatus } from "./send-status.ts";
import type { ApplyContext, ApplyResult } from "../../action.ts";
import type { ReadyToWrite } from "../../guarded-write.ts";

/** Nothing of Argo Rollouts' wakes a step. */
const POLL_MS = 500;

/**
 * A canary on its way is aborted before its template goes: only an abort takes the traffic away as fast as the stable
 * pods can bear, and leaves the canary's up until it is gone. Undefined when there is nothing to wait for any more.
 *
 * Never in a blue/green rollout: there an abort moves the Service only while the new pods are ready, and takes them away
 * after 30 s all the same (rollout/service.go, reconcileActiveService). The stable template alone makes the stable pods
 * the wanted ones, and these are ready.
 */
export function abortFirst(
  rollout: Rollout,
  { executor, now, signal }: Pick<ApplyContext, "executor" | "now" | "signal">,
): ApplyResult | ReadyToWrite | undefined {
  const { status = {} } = rollout;
  if (!isCanaryUnderWay(rollout)) return undefined;
  if (status.abort !== true) {
    return {
      kind: "Ready",
      send: () => sendAbort(rollout, executor, signal),
      leaves: waiting("the update is aborted: Argo Rollouts takes the traffic from the canary"),
    };
  }
  if (status.abortedAt === undefined) {
    const unseen = waiting("the update is aborted, which Argo Rollouts has not seen yet");
    // When it was aborted is written nowhere; one touch too many does no harm.
    return needsNudge(rollout, 0, now)
      ? { kind: "Ready", send: () => sendNudge(rollout, now, executor, signal), leaves: unseen }
      : unseen;
  }
  const weight = status.canary?.weights?.canary?.weight ?? 0;
  return weight > 0 ? waiting(`the update is aborted; the canary still gets ${weight} %`) : undefined;
}

/** Another version than the fully promoted one is wanted, step by step. Pure. */
export function isCanaryUnderWay({ spec, status }: Rollout): boolean {
  const { stableRS = "", currentPodHash = "" } = status ?? {};
  return spec.strategy?.canary !== undefined && stableRS !== "" && stableRS !== currentPodHash;
}

/** As `kubectl argo rollouts abort` does it, of this update and no other. Throws KubeError; 422 when a test failed. */
function sendAbort(rollout: Rollout, executor: KubeClient, signal: AbortSignal): Promise<unknown> {
  return sendStatus(rollout, [{ op: "add", path: "/status/abort", value: true }], executor, signal);
}

function waiting(message: string): Extract<ApplyResult, { kind: "Preparing" }> {
  return { kind: "Preparing", message, pollAfterMs: POLL_MS };
}
