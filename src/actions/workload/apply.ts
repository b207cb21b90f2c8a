import { withImage } from "../../workloads/containers.ts";
import { hasTemplateOf, liveRevisionOf } from "../../workloads/live-revision.ts";
import { readRevisions, type Workload } from "../../workloads/read-workload.ts";
import { parseWorkloadTitle } from "../../workloads/workload.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { writeGuarded, type ReadyToWrite } from "../guarded-write.ts";
import { superseded } from "../results.ts";
import { destinationOf, type Destination } from "./destination.ts";
import { patchFor } from "./patch.ts";
import type { WorkloadPlan } from "./plan.ts";
import { abortFirst } from "./rollout/abort.ts";
import { rolloutProblem } from "./rollout/ready.ts";
import { templateDigest } from "./template-digest.ts";

/**
 * Puts the template of `plan.to` in place if `plan.from` is still live. Derives the change again from uncached
 * reads: content never comes from the plan. A canary of Argo Rollouts is aborted first. Safe to repeat at any time.
 */
export function applyWorkload(plan: WorkloadPlan, context: ApplyContext): Promise<ApplyResult> {
  const key = parseWorkloadTitle(plan.object, context.namespace);
  const names = [plan.from.name, plan.to.name].filter((name) => name !== undefined);
  return writeGuarded(async () =>
    stateOf(plan, await readRevisions(context.executor, key, names, context.signal), context),
  );
}

function stateOf(
  plan: WorkloadPlan,
  workload: Workload | undefined,
  context: ApplyContext,
): ApplyResult | ReadyToWrite {
  if (workload === undefined) return superseded(`${plan.object} is gone`);
  const { object } = workload;
  if (object.metadata.uid !== plan.objectUid) {
    return superseded(`${plan.object} was deleted and created again`);
  }
  if (plan.to.templateDigest === templateDigest(object.spec.template)) {
    return { kind: "Applied", alreadyThere: true };
  }
  const to = destination(plan, workload);
  if (to === undefined) {
    return {
      kind: "Refused",
      reason: "RevisionNotFound",
      message: `revision ${plan.to.revision} was removed from the history of ${plan.object} between plan and act`,
    };
  }
  // A pin is known by its digest only: whoever deployed the same image otherwise made another template.
  if (to.revision !== undefined && hasTemplateOf(workload, to.revision)) {
    return { kind: "Applied", alreadyThere: true };
  }
  const live = liveRevisionOf(workload);
  if (live?.uid !== plan.from.uid || live.revision !== plan.from.revision) {
    return superseded(`${plan.object} was changed by somebody else before the act`);
  }
  if (workload.kind === "Deployment" && workload.object.spec.paused === true) {
    return { kind: "Refused", reason: "Paused", message: `${plan.object} was paused between plan and act` };
  }
  if (workload.kind === "Rollout") {
    const problem = rolloutProblem(workload.object);
    if (problem !== undefined) {
      return { kind: "Refused", reason: problem.reason, message: `${plan.object}: ${problem.message}` };
    }
    const first = abortFirst(workload.object, context);
    if (first !== undefined) return first;
  }
  const { executor, signal } = context;
  return { kind: "Ready", send: () => patchFor(workload, to).send(executor, signal, false) };
}

/** A pinned image is put into the template that is live now; `from` being live is checked after this. */
function destination(
  { to }: WorkloadPlan,
  workload: Workload,
): Pick<Destination, "template" | "changeCause" | "revision"> | undefined {
  const { object, revisions } = workload;
  const revision = revisions.find(({ uid, podTemplateHash }) => {
    return uid === to.uid && podTemplateHash === to.podTemplateHash;
  });
  if (to.image === undefined) return revision === undefined ? undefined : destinationOf(revision);
  const { container, image } = to.image;
  return {
    revision: undefined,
    template: withImage(object.spec.template, container, image),
    changeCause: revision?.changeCause ?? liveRevisionOf(workload)?.changeCause,
  };
}
