import type { KubeObject } from "../kube/objects.ts";
import type { PodTemplateSpec } from "../kube/well-known.ts";
import type { ControllerRevision } from "../kube/workload-types.ts";
import { CHANGE_CAUSE, isControlledBy, type Revision } from "./revisions.ts";
import type { LiveSet } from "./workload.ts";

/** Label of a ControllerRevision with its hash, by the kind of its owner. */
const HASH_LABELS: Readonly<Record<LiveSet["kind"], string>> = {
  StatefulSet: "controller.kubernetes.io/hash",
  DaemonSet: "controller-revision-hash",
};

/**
 * Revisions of a StatefulSet or DaemonSet, newest first: ControllerRevisions that it controls, by owner UID. They keep
 * no former numbers, unlike ReplicaSets.
 */
export function controllerRevisionsOf(
  kind: LiveSet["kind"],
  owner: KubeObject,
  objects: readonly ControllerRevision[],
): readonly Revision[] {
  return objects
    .filter((object) => isControlledBy(object, owner))
    .flatMap((object) => revisionOf(kind, object))
    .sort((a, b) => b.revision - a.revision);
}

function revisionOf(
  kind: LiveSet["kind"],
  { metadata, revision, data }: ControllerRevision,
): readonly Revision[] {
  const hash = metadata.labels?.[HASH_LABELS[kind]];
  const template = data?.spec?.template;
  if (hash === undefined || template === undefined) return [];
  return [
    {
      revision,
      formerRevisions: [],
      uid: metadata.uid,
      name: metadata.name,
      podTemplateHash: hash,
      createdAt: metadata.creationTimestamp,
      template: withoutPatchDirective(template),
      changeCause: metadata.annotations?.[CHANGE_CAUSE],
    },
  ];
}

/** The stored template is a strategic merge patch that replaces the whole. */
function withoutPatchDirective(template: PodTemplateSpec): PodTemplateSpec {
  const { $patch: _, ...rest } = template as PodTemplateSpec & { readonly $patch?: string };
  return rest;
}
