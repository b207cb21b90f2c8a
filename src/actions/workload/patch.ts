import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../../kube/client.ts";
import { jsonPointer, type JsonPatchOperation } from "../../kube/patch.ts";
import { deploymentType, type Deployment } from "../../kube/well-known.ts";
import { REVISION, type Revision } from "../../workloads/revisions.ts";
import { withoutHashLabel } from "../../workloads/template.ts";

export const FIELD_MANAGER = "rollback-operator";
const CHANGE_CAUSE = "kubernetes.io/change-cause";

export interface PreparedPatch {
  readonly operations: readonly JsonPatchOperation[];
  /** Throws KubeError; 422 when a `test` failed or the object would be invalid. */
  send(executor: KubeClient, signal: AbortSignal, dryRun: boolean): Promise<Deployment>;
}

/**
 * The one write of this action. It tests the UID, the revision and the whole template that is replaced, not the
 * resourceVersion: a crash-looping Deployment changes its status all the time, exactly when we must act. Unlike
 * `kubectl rollout undo` it keeps every annotation but the change cause, which describes the template.
 */
export function patchFor(deployment: Deployment, to: Revision): PreparedPatch {
  const annotations = deployment.metadata.annotations ?? {};
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: deployment.metadata.uid },
    ...(annotations[REVISION] === undefined
      ? []
      : [
          {
            op: "test",
            path: jsonPointer("metadata", "annotations", REVISION),
            value: annotations[REVISION],
          } as const,
        ]),
    { op: "test", path: "/spec/template", value: deployment.spec.template },
    { op: "replace", path: "/spec/template", value: withoutHashLabel(to.template) },
    ...changeCause(annotations[CHANGE_CAUSE], to.changeCause, deployment.metadata.annotations !== undefined),
  ];
  const { namespace = "", name } = deployment.metadata;
  return {
    operations,
    send: (executor, signal, dryRun) =>
      executor.patch(
        deploymentType,
        { namespace, name },
        { kind: "json", operations },
        { signal, dryRun, fieldManager: FIELD_MANAGER },
      ),
  };
}

/** Whether the patch made for `before` would still pass its own `test` operations. */
export function patchStillApplies(before: Deployment, now: Deployment): boolean {
  return (
    before.metadata.uid === now.metadata.uid &&
    before.metadata.annotations?.[REVISION] === now.metadata.annotations?.[REVISION] &&
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
