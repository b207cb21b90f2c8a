import { hasTemplateOf, liveRevisionOf } from "../../workloads/live-revision.ts";
import { readRevisions, readWorkload, type Workload } from "../../workloads/read-workload.ts";
import type { Revision } from "../../workloads/revisions.ts";
import { isObserved } from "../../workloads/rollout-state.ts";
import { parseWorkloadTitle } from "../../workloads/workload.ts";
import type { ApplyContext } from "../action.ts";
import { superseded } from "../results.ts";
import type { WorkloadPlan } from "./plan.ts";
import { templateDigest } from "./template-digest.ts";

export type Look =
  | { readonly kind: "Superseded"; readonly message: string }
  | {
      readonly kind: "Ours";
      readonly workload: Workload;
      /** What the change became, once the workload's controller has taken it up and numbered it. */
      readonly product: Revision | undefined;
    };

/** Whether the change of the plan is what is live now. */
export async function lookAt(plan: WorkloadPlan, context: ApplyContext): Promise<Look> {
  const { executor, namespace, signal } = context;
  const key = parseWorkloadTitle(plan.object, namespace);
  const { templateDigest: digest, name } = plan.to;
  // Without a stored template of its own the product is found among all revisions.
  const workload =
    digest === undefined && name !== undefined
      ? await readRevisions(executor, key, [name], signal)
      : await readWorkload(executor, key, signal);
  if (workload === undefined) return superseded(`${plan.object} is gone`);
  const { object, revisions } = workload;
  if (object.metadata.uid !== plan.objectUid) {
    return superseded(`${plan.object} was deleted and created again`);
  }
  const live = digest === undefined ? revisions.find(({ uid }) => uid === plan.to.uid) : undefined;
  const isOurs =
    digest === undefined
      ? live !== undefined && hasTemplateOf(workload, live)
      : templateDigest(object.spec.template) === digest;
  if (!isOurs) return superseded(`${plan.object} was changed by somebody else after the act`);
  return {
    kind: "Ours",
    workload,
    product: numbered(plan, workload, live ?? liveRevisionOf(workload)),
  };
}

/**
 * The revision gets its number from the controller. A ControllerRevision, or the ReplicaSet of a Rollout, may have been read
 * just before: the newest number is above that of the version which was live, and nothing but the number says that it is there.
 */
function numbered(plan: WorkloadPlan, workload: Workload, live: Revision | undefined): Revision | undefined {
  if (live === undefined || !isObserved(workload.object)) return undefined;
  if (workload.kind === "Rollout" && workload.object.status?.currentPodHash !== live.podTemplateHash) {
    return undefined;
  }
  return workload.kind === "Deployment" || live.revision > plan.from.revision ? live : undefined;
}
