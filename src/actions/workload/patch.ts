import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../../kube/client.ts";
import { jsonPointer, type JsonPatchOperation } from "../../kube/patch.ts";
import { CHANGE_CAUSE, REVISION } from "../../workloads/revisions.ts";
import { ROLLOUT_REVISION } from "../../workloads/rollout-revisions.ts";
import { withoutHashLabel } from "../../workloads/template.ts";
import { WORKLOAD_TYPES, type LiveWorkload } from "../../workloads/workload.ts";
import { FIELD_MANAGER } from "../../kube/field-manager.ts";
import type { Destination } from "./destination.ts";

export interface PreparedPatch {
  readonly operations: readonly JsonPatchOperation[];
  /** Throws KubeError; 422 when a `test` failed or the object would be invalid. */
  send(executor: KubeClient, signal: AbortSignal, dryRun: boolean): Promise<LiveWorkload["object"]>;
}

/**
 * The one write of this action. It tests the UID, the revision and the whole template that is replaced, not the
 * resourceVersion: a crash-looping workload changes its status all the time, exactly when we must act. Unlike
 * `kubectl rollout undo` it keeps every annotation but the change cause of a Deployment, which describes the template.
 */
export function patchFor(
  { kind, object }: LiveWorkload,
  to: Pick<Destination, "template" | "changeCause">,
): PreparedPatch {
  const annotations = object.metadata.annotations ?? {};
  const numbered = kind === "Rollout" ? ROLLOUT_REVISION : REVISION;
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: object.metadata.uid },
    ...(annotations[numbered] === undefined
      ? []
      : [
          {
            op: "test",
            path: jsonPointer("metadata", "annotations", numbered),
            value: annotations[numbered],
          } as const,
        ]),
    { op: "test", path: "/spec/template", value: object.spec.template },
    { op: "replace", path: "/spec/template", value: withoutHashLabel(to.template) },
    ...(kind === "Deployment"
      ? changeCause(annotations[CHANGE_CAUSE], to.changeCause, object.metadata.annotations !== undefined)
      : []),
  ];
  const { namespace = "", name } = object.metadata;
  return {
    operations,
    send: (executor, signal, dryRun) =>
      executor.patch(
        WORKLOAD_TYPES[kind],
        { namespace, name },
        { kind: "json", operations },
        { signal, dryRun, fieldManager: FIELD_MANAGER },
      ),
  };
}

/** Whether the patch made for `before` would still pass its own `test` operations. */
export function patchStillApplies(before: LiveWorkload["object"], now: LiveWorkload["object"]): boolean {
  return (
    before.metadata.uid === now.metadata.uid &&
    [REVISION, ROLLOUT_REVISION].every(
      (key) => before.metadata.annotations?.[key] === now.metadata.annotations?.[key],
    ) &&
    isDeepStrictEqual(before.spec.template, now.spec.template)
  );
}

function changeCause(
  before: string | undefined,
  after: string | undefined,
  hasAnnotations: boolean,
): readonly JsonPatchOperation[] {
  const path = jsonPointer("metadata", "annotations", CHANGE_CAUSE);
  if (before === after) return [];
  if (after === undefined) return [{ op: "remove", path }];
  if (!hasAnnotations)
    return [{ op: "add", path: "/metadata/annotations", value: { [CHANGE_CAUSE]: after } }];
  return [{ op: "add", path, value: after }];
}
