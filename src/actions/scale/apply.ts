import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { autoscalersOf, isMovedByHpa } from "./autoscalers.ts";
import { sendScale } from "./patch.ts";
import type { ScalePlan } from "./plan.ts";
import { parseObject, readTarget, type ScaleTarget } from "./target.ts";

/** How often a failed `test` is looked at again before it counts as a refusal of the server. */
const MAX_TRIES = 3;

/** Sets the number of `plan.to` if that of `plan.from` is still live. Safe to repeat at any time. */
export async function applyScale(plan: ScalePlan, context: ApplyContext): Promise<ApplyResult> {
  const { executor, namespace, signal } = context;
  let refusal = "";
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const target = await readTarget(executor, namespace, parseObject(plan.object), signal);
    const state = await stateOf(plan, target, context);
    if (state.kind !== "Ready") return state;
    try {
      await sendScale(state.target, plan.to.replicas, executor, signal, false);
      return { kind: "Applied", alreadyThere: false };
    } catch (error) {
      // Admission or a right that was taken away since the plan; asking again would not help.
      if (isForbidden(error)) return refusedByServer(errorMessage(error));
      // 422 is a failed test or an invalid number; the two look alike, so look at the world again.
      if (!isInvalid(error) && !isNotFound(error)) throw error;
      refusal = errorMessage(error);
    }
  }
  return refusedByServer(refusal);
}

type State = ApplyResult | { readonly kind: "Ready"; readonly target: ScaleTarget };

async function stateOf(
  plan: ScalePlan,
  target: ScaleTarget | undefined,
  { executor, namespace, signal }: ApplyContext,
): Promise<State> {
  const { object, from, to } = plan;
  if (target === undefined) return superseded(`${object} is gone`);
  if (target.scale.metadata.uid !== plan.objectUid) {
    return superseded(`${object} was deleted and created again`);
  }
  const { replicas } = target;
  if (replicas === to.replicas) return { kind: "Applied", alreadyThere: true };
  if (replicas === from.replicas) return { kind: "Ready", target };
  if (from.replicas > 0 && replicas > 0) {
    const autoscalers = await autoscalersOf(parseObject(object), executor, namespace, signal);
    if (isMovedByHpa(autoscalers)) return { kind: "Ready", target };
  }
  return superseded(`${object} was set to ${replicas} replicas by somebody else before the act`);
}

function refusedByServer(words: string): ApplyResult {
  return { kind: "Refused", reason: "StepFailed", message: `the API server refused the change: ${words}` };
}

function superseded(message: string): ApplyResult {
  return { kind: "Superseded", message };
}
