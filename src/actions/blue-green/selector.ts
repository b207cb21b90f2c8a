import type { KubeClient } from "../../kube/client.ts";
import { jsonPointer, type JsonPatchOperation } from "../../kube/patch.ts";
import { serviceType, type Service } from "../../kube/well-known.ts";
import { digestOf } from "../digest.ts";
import { FIELD_MANAGER } from "../../kube/field-manager.ts";
import type { Selector } from "../selects.ts";

export function selectorOf({ spec }: Service): Selector {
  return spec.selector ?? {};
}

/** Tells selectors apart; all of it counts, not the colour alone. */
export function selectorDigest(selector: Selector): string {
  return digestOf(selector);
}

/**
 * The one write to the Service: the value of one key. It tests the UID and the whole selector that was read. Throws
 * KubeError; 422 when a test failed.
 */
export function sendColor(
  service: Service,
  { label, color }: { readonly label: string; readonly color: string },
  executor: KubeClient,
  signal: AbortSignal,
  dryRun: boolean,
): Promise<Service> {
  const { namespace = "", name, uid } = service.metadata;
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: uid },
    { op: "test", path: "/spec/selector", value: selectorOf(service) },
    { op: "replace", path: jsonPointer("spec", "selector", label), value: color },
  ];
  return executor.patch(
    serviceType,
    { namespace, name },
    { kind: "json", operations },
    { signal, dryRun, fieldManager: FIELD_MANAGER },
  );
}
