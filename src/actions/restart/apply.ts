import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import { readLiveWorkload } from "../../workloads/read-workload.ts";
import { parseWorkloadTitle, type LiveWorkload } from "../../workloads/workload.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { sendRestart } from "./patch.ts";
import type { RestartPlan } from "./plan.ts";
import { restartedAt, templateDigest } from "./template-identity.ts";

/** How often a failed `test` is looked at again before it counts as a refusal of the server. */
const MAX_TRIES = 3;

/** Writes the time of the plan, if nothing changed since: the same time again is the same restart. Safe to repeat. */
export async function applyRestart(plan: RestartPlan, context: ApplyContext): Promise<ApplyResult> {
  const { executor, namespace, signal } = context;
  const key = parseWorkloadTitle(plan.object, namespace);
  let refusal = "";
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const state = stateOf(plan, await readLiveWorkload(executor, key, signal));
    if (state.kind !== "Ready") return state;
    try {
      await sendRestart(state.workload, plan.to.restartedAt, executor, signal, false);
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

type State = ApplyResult | { readonly kind: "Ready"; readonly workload: LiveWorkload };

function stateOf({ object, objectUid, from, to }: RestartPlan, workload: LiveWorkload | undefined): State {
  if (workload === undefined) return superseded(`${object} is gone`);
  const { metadata, spec } = workload.object;
  if (metadata.uid !== objectUid) return superseded(`${object} was deleted and created again`);
  if (templateDigest(spec.template) !== from.templateDigest) {
    return superseded(`${object} was changed by somebody else before the act`);
  }
  const at = restartedAt(spec.template);
  if (at === to.restartedAt) return { kind: "Applied", alreadyThere: true };
  if (at !== from.restartedAt) return superseded(`${object} was restarted by somebody else before the act`);
  if (workload.kind === "Deployment" && workload.object.spec.paused === true) {
    return { kind: "Refused", reason: "Paused", message: `${object} was paused between plan and act` };
  }
  return { kind: "Ready", workload };
}

function refusedByServer(words: string): ApplyResult {
  return { kind: "Refused", reason: "StepFailed", message: `the API server refused the change: ${words}` };
}

function superseded(message: string): ApplyResult {
  return { kind: "Superseded", message };
}
