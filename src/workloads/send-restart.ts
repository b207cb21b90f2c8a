import type { KubeClient } from "../kube/client.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";
import { jsonPointer, type JsonPatchOperation } from "../kube/patch.ts";
import type { PodTemplateSpec } from "../kube/well-known.ts";
import { RESTARTED_AT } from "./template.ts";
import { WORKLOAD_TYPES, type LiveWorkload } from "./workload.ts";

/**
 * The one write of a restart: the annotation of the template, to this time or away. It tests the UID and the whole
 * template that was read, not the resourceVersion: the status of a workload in trouble changes all the time. Throws
 * KubeError; 422 when a test failed.
 */
export function sendRestart(
  { kind, object: { metadata, spec } }: LiveWorkload,
  at: string | undefined,
  executor: KubeClient,
  signal: AbortSignal,
  dryRun: boolean,
): Promise<LiveWorkload["object"]> {
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: metadata.uid },
    { op: "test", path: "/spec/template", value: spec.template },
    annotate(spec.template, at),
  ];
  const { namespace = "", name } = metadata;
  return executor.patch(
    WORKLOAD_TYPES[kind],
    { namespace, name },
    { kind: "json", operations },
    { signal, dryRun, fieldManager: FIELD_MANAGER },
  );
}

function annotate({ metadata = {} }: PodTemplateSpec, at: string | undefined): JsonPatchOperation {
  const annotations = ["spec", "template", "metadata", "annotations"];
  const path = jsonPointer(...annotations, RESTARTED_AT);
  if (at === undefined) return { op: "remove", path };
  return metadata.annotations === undefined
    ? { op: "add", path: jsonPointer(...annotations), value: { [RESTARTED_AT]: at } }
    : { op: "add", path, value: at };
}
