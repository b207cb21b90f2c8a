import type { Workload } from "./read-workload.ts";
import { liveRevision, type Revision } from "./revisions.ts";
import { isObserved } from "./rollout-state.ts";
import { isCompletionOf } from "./rollout-template.ts";
import { sameTemplate } from "./template.ts";

/** The revision whose template is live now, if the workload's controller has recorded it already. */
export function liveRevisionOf(workload: Workload): Revision | undefined {
  return workload.kind === "Rollout"
    ? workload.revisions.find((revision) => hasTemplateOf(workload, revision))
    : liveRevision(workload.object, workload.revisions);
}

/**
 * Whether the live template is that of a revision. A Rollout's is kept as somebody wrote it and its ReplicaSet's is
 * completed by the server, so there the controller's word counts, unless it speaks of another template: it may call a
 * generation observed without having looked at the template (while it scales, or with an invalid spec).
 */
export function hasTemplateOf({ kind, object }: Workload, revision: Revision): boolean {
  const { template } = object.spec;
  if (sameTemplate(template, revision.template)) return true;
  return (
    kind === "Rollout" &&
    isObserved(object) &&
    object.status?.currentPodHash === revision.podTemplateHash &&
    isCompletionOf(revision.template, template)
  );
}

/** The version that Argo Rollouts would itself go back to, where another one is on its way. Pure. */
export function stableRevision(workload: Workload, live: Revision): Revision | undefined {
  if (workload.kind !== "Rollout") return undefined;
  const stable = workload.object.status?.stableRS;
  if (stable === live.podTemplateHash) return undefined;
  return workload.revisions.find(({ podTemplateHash }) => podTemplateHash === stable);
}
