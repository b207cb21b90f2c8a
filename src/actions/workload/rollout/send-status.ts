import type { KubeClient } from "../../../kube/client.ts";
import { FIELD_MANAGER } from "../../../kube/field-manager.ts";
import type { JsonPatchOperation } from "../../../kube/patch.ts";
import { rolloutType, type Rollout } from "../../../kube/rollout-types.ts";

/** A change of the status, of this update and no other. Throws KubeError; 422 when a test failed. */
export function sendStatus(
  { metadata, spec, status }: Rollout,
  change: readonly JsonPatchOperation[],
  executor: KubeClient,
  signal: AbortSignal,
): Promise<unknown> {
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: metadata.uid },
    { op: "test", path: "/spec/template", value: spec.template },
    { op: "test", path: "/status/stableRS", value: status?.stableRS },
    ...change,
  ];
  return executor.patch(
    rolloutType,
    { namespace: metadata.namespace ?? "", name: metadata.name },
    { kind: "json", operations },
    { signal, subresource: "status", fieldManager: FIELD_MANAGER },
  );
}
