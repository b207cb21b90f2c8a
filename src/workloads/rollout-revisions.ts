import type { Rollout } from "../kube/rollout-types.ts";
import type { ReplicaSet } from "../kube/well-known.ts";
import { CHANGE_CAUSE, isControlledBy, parseHistory, parseRevision, type Revision } from "./revisions.ts";
import { ROLLOUT_HASH_LABEL, rolloutTemplate } from "./rollout-template.ts";

export const ROLLOUT_REVISION = "rollout.argoproj.io/revision";
const ROLLOUT_REVISION_HISTORY = "rollout.argoproj.io/revision-history";

/** The Rollout's revisions, newest first: ReplicaSets that it controls (by owner UID) and that carry a number. */
export function rolloutRevisionsOf(
  rollout: Rollout,
  replicaSets: readonly ReplicaSet[],
): readonly Revision[] {
  return replicaSets
    .filter((set) => isControlledBy(set, rollout))
    .flatMap(revisionOf)
    .sort((a, b) => b.revision - a.revision);
}

function revisionOf(set: ReplicaSet): readonly Revision[] {
  const { name, uid, labels, annotations, creationTimestamp } = set.metadata;
  const revision = parseRevision(annotations?.[ROLLOUT_REVISION]);
  const podTemplateHash = labels?.[ROLLOUT_HASH_LABEL];
  if (revision === undefined || podTemplateHash === undefined) return [];
  return [
    {
      revision,
      formerRevisions: parseHistory(annotations?.[ROLLOUT_REVISION_HISTORY]),
      uid,
      name,
      podTemplateHash,
      createdAt: creationTimestamp,
      template: rolloutTemplate(set, set.spec.template),
      changeCause: annotations?.[CHANGE_CAUSE],
    },
  ];
}

/** Whether going back to a revision skips steps and analysis, as `spec.rollbackWindow` says; by age of ReplicaSets. */
export function isInRollbackWindow(
  { spec, status }: Rollout,
  revisions: readonly Revision[],
  to: Pick<Revision, "createdAt">,
): boolean {
  const window = spec.rollbackWindow?.revisions ?? 0;
  const stable = revisions.find(({ podTemplateHash }) => podTemplateHash === status?.stableRS);
  if (stable === undefined || !isOlder(to, stable)) return false;
  return revisions.filter((each) => isOlder(to, each) && isOlder(each, stable)).length < window;
}

function isOlder(a: Pick<Revision, "createdAt">, b: Pick<Revision, "createdAt">): boolean {
  return Date.parse(a.createdAt) < Date.parse(b.createdAt);
}
