import type { ApplyContext, ApplyResult } from "../action.ts";
import { writeGuarded, type ReadyToWrite } from "../guarded-write.ts";
import { superseded } from "../results.ts";
import { autoscalersOf, isMovedByHpa } from "../autoscalers.ts";
import { sendScale } from "../scale-patch.ts";
import type { ScalePlan } from "./plan.ts";
import { parseObject, readTarget, type ScaleTarget } from "../scale-target.ts";

/** Sets the number of `plan.to` if that of `plan.from` is still live. Safe to repeat at any time. */
export function applyScale(plan: ScalePlan, context: ApplyContext): Promise<ApplyResult> {
  const { executor, namespace, signal } = context;
  return writeGuarded(async () =>
    stateOf(plan, await readTarget(executor, namespace, parseObject(plan.object), signal), context),
  );
}

async function stateOf(
  plan: ScalePlan,
  target: ScaleTarget | undefined,
  { executor, namespace, signal }: ApplyContext,
): Promise<ApplyResult | ReadyToWrite> {
  const ready = (at: ScaleTarget): ReadyToWrite => ({
    kind: "Ready",
    send: () => sendScale(at, plan.to.replicas, executor, signal, false),
  });
  const { object, from, to } = plan;
  if (target === undefined) return superseded(`${object} is gone`);
  if (target.scale.metadata.uid !== plan.objectUid) {
    return superseded(`${object} was deleted and created again`);
  }
  const { replicas } = target;
  if (replicas === to.replicas) return { kind: "Applied", alreadyThere: true };
  if (replicas === from.replicas) return ready(target);
  if (from.replicas > 0 && replicas > 0) {
    const autoscalers = await autoscalersOf(parseObject(object), executor, namespace, signal);
    if (isMovedByHpa(autoscalers)) return ready(target);
  }
  return superseded(`${object} was set to ${replicas} replicas by somebody else before the act`);
}
