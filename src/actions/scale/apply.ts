import type { ApplyContext, ApplyResult } from "../action.ts";
import { moveValue } from "../move-value.ts";
import type { ScalePlan } from "./plan.ts";

/** Sets the number of `plan.to` if that of `plan.from` is still live. Safe to repeat at any time. */
export function applyScale(
  { object, objectUid, from, to }: ScalePlan,
  context: ApplyContext,
): Promise<ApplyResult> {
  const move = { change: "Replicas", object, objectUid, from: from.replicas, to: to.replicas } as const;
  return moveValue(move, context);
}
