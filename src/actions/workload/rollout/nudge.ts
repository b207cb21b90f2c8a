import type { KubeClient } from "../../../kube/client.ts";
import { FIELD_MANAGER } from "../../../kube/field-manager.ts";
import { jsonPointer, type JsonPatchOperation } from "../../../kube/patch.ts";
import { rolloutType, type Rollout } from "../../../kube/rollout-types.ts";
import { isObserved } from "../../../workloads/rollout-state.ts";

/** When we last touched the Rollout so that its controller looks again, RFC 3339. */
export const NUDGED_AT = "rollback.llm-research-lab.io/nudged-at";

/** A touch changes nothing that anybody asked for: told apart from what does. */
export const NUDGE_MANAGER = `${FIELD_MANAGER}-nudge`;

/** Its controller is done with one change within a second. */
const PATIENCE_MS = 3_000;

/**
 * Whether the controller has had time to see a change and has not. It writes what its last pass made of a Rollout back
 * into its own cache, over a change that came meanwhile (rollout/controller.go, writeBackToInformer), and then sleeps on
 * until the next event: an abort or a template can be lost so. Times are milliseconds since the epoch. Pure.
 */
export function needsNudge(rollout: Rollout, changedAt: number, now: number): boolean {
  const { abort, abortedAt, controllerPause, pauseConditions = [] } = rollout.status ?? {};
  const isUnseen =
    !isObserved(rollout) ||
    (abort === true && abortedAt === undefined) ||
    (controllerPause === true && pauseConditions.length === 0);
  const nudgedAt = Date.parse(rollout.metadata.annotations?.[NUDGED_AT] ?? "") || 0;
  return isUnseen && now - Math.max(nudgedAt, changedAt) >= PATIENCE_MS;
}

/** An event for the controller, and no change to what it goes by. Throws KubeError; 422 when a test failed. */
export function sendNudge(
  { metadata, spec }: Rollout,
  at: number,
  executor: KubeClient,
  signal: AbortSignal,
): Promise<unknown> {
  const path = jsonPointer("metadata", "annotations", NUDGED_AT);
  const value = new Date(at).toISOString();
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: metadata.uid },
    { op: "test", path: "/spec/template", value: spec.template },
    metadata.annotations === undefined
      ? { op: "add", path: "/metadata/annotations", value: { [NUDGED_AT]: value } }
      : { op: "add", path, value },
  ];
  return executor.patch(
    rolloutType,
    { namespace: metadata.namespace ?? "", name: metadata.name },
    { kind: "json", operations },
    { signal, fieldManager: NUDGE_MANAGER },
  );
}
