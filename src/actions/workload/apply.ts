import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { liveRevision, type Revision } from "../../workloads/revisions.ts";
import { patchFor } from "./patch.ts";
import type { WorkloadPlan } from "./plan.ts";
import { readRevisions, type Workload } from "../../workloads/read-workload.ts";
import { sameTemplate } from "../../workloads/template.ts";

/** How often a failed `test` is looked at again before it counts as a refusal of the server. */
const MAX_TRIES = 3;

/**
 * Puts the template of `plan.to` in place if `plan.from` is still live. Derives the change again from uncached
 * reads: content never comes from the plan. Safe to repeat at any time.
 */
export async function applyWorkload(plan: WorkloadPlan, context: ApplyContext): Promise<ApplyResult> {
  let refusal = "";
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const name = plan.object.slice("Deployment/".length);
    const ends = [plan.from.name, plan.to.name];
    const workload = await readRevisions(context.executor, context.namespace, name, ends, context.signal);
    const state = stateOf(plan, workload);
    if (state.kind !== "Ready") return state;
    try {
      await patchFor(state.workload.deployment, state.to).send(context.executor, context.signal, false);
      return { kind: "Applied", alreadyThere: false };
    } catch (error) {
      // Admission or a right that was taken away since the plan; asking again would not help.
      if (isForbidden(error)) return refusedByServer(errorMessage(error));
      // 422 is a failed test or an invalid object; the two look alike, so look at the world again.
      if (!isInvalid(error) && !isNotFound(error)) throw error;
      refusal = errorMessage(error);
    }
  }
  return refusedByServer(refusal);
}

function refusedByServer(words: string): ApplyResult {
  return { kind: "Refused", reason: "StepFailed", message: `the API server refused the change: ${words}` };
}

type State = ApplyResult | { readonly kind: "Ready"; readonly workload: Workload; readonly to: Revision };

function stateOf(plan: WorkloadPlan, workload: Workload | undefined): State {
  if (workload === undefined) return superseded(`${plan.object} is gone`);
  const { deployment, revisions } = workload;
  if (deployment.metadata.uid !== plan.objectUid) {
    return superseded(`${plan.object} was deleted and created again`);
  }
  const to = revisions.find(({ uid }) => uid === plan.to.uid);
  if (to === undefined || to.podTemplateHash !== plan.to.podTemplateHash) {
    return {
      kind: "Refused",
      reason: "RevisionNotFound",
      message: `revision ${plan.to.revision} was removed from the history of ${plan.object} between plan and act`,
    };
  }
  if (sameTemplate(deployment.spec.template, to.template)) return { kind: "Applied", alreadyThere: true };
  const live = liveRevision(deployment, revisions);
  if (live?.uid !== plan.from.uid || live.revision !== plan.from.revision) {
    return superseded(`${plan.object} was changed by somebody else before the act`);
  }
  if (deployment.spec.paused === true) {
    return { kind: "Refused", reason: "Paused", message: `${plan.object} was paused between plan and act` };
  }
  return { kind: "Ready", workload, to };
}

function superseded(message: string): ApplyResult {
  return { kind: "Superseded", message };
}
