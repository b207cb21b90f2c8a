import type { RevisionRef } from "../crds/rollback-request.ts";
import { cutText } from "../kube/conditions.ts";
import type { KubeObject } from "../kube/objects.ts";
import type { Deployment, PodTemplateSpec, ReplicaSet } from "../kube/well-known.ts";
import { labelledImages } from "./containers.ts";
import { HASH_LABEL, sameTemplate } from "./template.ts";

export const REVISION = "deployment.kubernetes.io/revision";
export const CHANGE_CAUSE = "kubernetes.io/change-cause";
export const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";

/** Who a revision is, without its content. */
export interface RevisionIdentity {
  readonly revision: number;
  /** Numbers it carried before it was deployed again. */
  readonly formerRevisions: readonly number[];
  readonly uid: string;
  readonly name: string;
  readonly podTemplateHash: string;
  /** RFC 3339, whole seconds: creation of its ReplicaSet or ControllerRevision. */
  readonly createdAt: string;
}

/** Bounds of a RevisionRef, as the schema has them. */
const MAX_IMAGES = 32;
const LONGEST_IMAGE = 512;

/** A revision as its ReplicaSet or ControllerRevision holds it. */
export interface Revision extends RevisionIdentity {
  readonly template: PodTemplateSpec;
  readonly changeCause: string | undefined;
}

/**
 * The Deployment's revisions, newest first: ReplicaSets that it controls (by owner UID: a selector
 * alone also finds strangers) and that carry a revision number. As kubectl's history does.
 */
export function revisionsOf(deployment: Deployment, replicaSets: readonly ReplicaSet[]): readonly Revision[] {
  return owned(deployment, replicaSets).map(([identity, set]) => ({
    ...identity,
    template: set.spec.template,
    changeCause: set.metadata.annotations?.[CHANGE_CAUSE],
  }));
}

/** The same from objects whose templates were dropped. */
export function revisionIdentities(
  deployment: Deployment,
  replicaSets: readonly ReplicaSet[],
): readonly RevisionIdentity[] {
  return owned(deployment, replicaSets).map(([identity]) => identity);
}

function owned(
  deployment: Deployment,
  replicaSets: readonly ReplicaSet[],
): readonly (readonly [RevisionIdentity, ReplicaSet])[] {
  return replicaSets
    .filter((set) => isControlledBy(set, deployment))
    .flatMap((set) => {
      const identity = identityOf(set);
      return identity === undefined ? [] : [[identity, set] as const];
    })
    .sort(([a], [b]) => b.revision - a.revision);
}

/** By UID: a selector alone also finds strangers. */
export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return (object.metadata.ownerReferences ?? []).some(
    ({ controller, uid }) => controller === true && uid === owner.metadata.uid,
  );
}

function identityOf({ metadata }: ReplicaSet): RevisionIdentity | undefined {
  const revision = parseRevision(metadata.annotations?.[REVISION]);
  const podTemplateHash = metadata.labels?.[HASH_LABEL];
  if (revision === undefined || podTemplateHash === undefined) return undefined;
  return {
    revision,
    formerRevisions: parseHistory(metadata.annotations?.[REVISION_HISTORY]),
    uid: metadata.uid,
    name: metadata.name,
    podTemplateHash,
    createdAt: metadata.creationTimestamp,
  };
}

/** The revision whose template is live now, if the workload's controller has recorded it already. */
export function liveRevision(
  workload: { readonly spec: { readonly template: PodTemplateSpec } },
  revisions: readonly Revision[],
): Revision | undefined {
  return revisions.find((revision) => sameTemplate(revision.template, workload.spec.template));
}

export function toRef(revision: Revision): RevisionRef {
  return {
    revision: revision.revision,
    name: revision.name,
    uid: revision.uid,
    podTemplateHash: revision.podTemplateHash,
    images: imagesOf(revision.template),
  };
}

/** Images of all containers, as `app=web:v1` where there are several. */
export function imagesOf(template: PodTemplateSpec): string[] {
  return labelledImages(template)
    .slice(0, MAX_IMAGES)
    .map((image) => cutText(image, LONGEST_IMAGE));
}

export function parseRevision(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  return Number(text);
}

export function parseHistory(text: string | undefined): readonly number[] {
  return (text ?? "").split(",").flatMap((entry) => parseRevision(entry.trim()) ?? []);
}
