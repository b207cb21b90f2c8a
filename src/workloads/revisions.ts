import type { RevisionRef } from "../crds/rollback-request.ts";
import type { Deployment, PodTemplateSpec, ReplicaSet } from "../kube/well-known.ts";
import { HASH_LABEL, sameTemplate } from "./template.ts";

export const REVISION = "deployment.kubernetes.io/revision";
const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";

/** A revision of a Deployment as its ReplicaSet holds it. */
export interface Revision {
  readonly revision: number;
  /** Numbers it carried before it was deployed again. */
  readonly formerRevisions: readonly number[];
  readonly uid: string;
  readonly name: string;
  readonly podTemplateHash: string;
  readonly template: PodTemplateSpec;
  readonly changeCause: string | undefined;
}

/**
 * The Deployment's revisions, newest first: ReplicaSets that it controls (by owner UID: a selector
 * alone also finds strangers) and that carry a revision number. As kubectl's history does.
 */
export function revisionsOf(deployment: Deployment, replicaSets: readonly ReplicaSet[]): readonly Revision[] {
  return replicaSets
    .filter((set) =>
      set.metadata.ownerReferences?.some((o) => o.controller === true && o.uid === deployment.metadata.uid),
    )
    .flatMap((set) => {
      const revision = parseRevision(set.metadata.annotations?.[REVISION]);
      const podTemplateHash = set.metadata.labels?.[HASH_LABEL];
      if (revision === undefined || podTemplateHash === undefined) return [];
      return [
        {
          revision,
          formerRevisions: parseHistory(set.metadata.annotations?.[REVISION_HISTORY]),
          uid: set.metadata.uid,
          name: set.metadata.name,
          podTemplateHash,
          template: set.spec.template,
          changeCause: set.metadata.annotations?.["kubernetes.io/change-cause"],
        },
      ];
    })
    .sort((a, b) => b.revision - a.revision);
}

/** The revision whose template is live now, if the controller has made its ReplicaSet already. */
export function liveRevision(deployment: Deployment, revisions: readonly Revision[]): Revision | undefined {
  return revisions.find((revision) => sameTemplate(revision.template, deployment.spec.template));
}

export function toRef(revision: Revision): RevisionRef {
  return {
    revision: revision.revision,
    uid: revision.uid,
    podTemplateHash: revision.podTemplateHash,
    images: imagesOf(revision.template),
  };
}

export function imagesOf(template: PodTemplateSpec): string[] {
  return (template.spec?.containers ?? []).map((container) => container.image ?? "").slice(0, 32);
}

function parseRevision(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  return Number(text);
}

function parseHistory(text: string | undefined): readonly number[] {
  return (text ?? "").split(",").flatMap((entry) => parseRevision(entry.trim()) ?? []);
}
