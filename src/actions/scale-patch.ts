import type { KubeClient } from "../kube/client.ts";
import type { JsonPatchOperation } from "../kube/patch.ts";
import { scaleType, type Scale } from "../kube/scale-types.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";
import type { ScaleTarget } from "./scale-target.ts";

/**
 * The one write of this action. It tests the UID and the whole `spec` that was read, not the resourceVersion: the
 * status of a workload in trouble changes all the time. `spec.replicas` is left out on the wire when it is 0, so it
 * is the spec that is tested, and the number is added. Throws KubeError; 422 when a test failed.
 */
export function sendScale(
  target: ScaleTarget,
  replicas: number,
  executor: KubeClient,
  signal: AbortSignal,
  dryRun: boolean,
): Promise<Scale> {
  const { metadata, spec = {} } = target.scale;
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: metadata.uid },
    { op: "test", path: "/spec", value: spec },
    { op: "add", path: "/spec/replicas", value: replicas },
  ];
  const { namespace = "", name } = metadata;
  return executor.patch(
    scaleType(target.kind),
    { namespace, name },
    { kind: "json", operations },
    { signal, dryRun, fieldManager: FIELD_MANAGER, subresource: "scale" },
  );
}
