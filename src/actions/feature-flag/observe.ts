import type { ApplyContext, Progress } from "../action.ts";
import { parseConfigMapTitle } from "../config-map-title.ts";
import { observeConsumers } from "../observe-restarts.ts";
import { superseded } from "../results.ts";
import { flagOf, readMap } from "./flag.ts";
import type { FlagPlan } from "./plan.ts";

/** Whether the value is in place, and how far the pods that would never notice it are replaced. */
export async function observeFlag(
  plan: FlagPlan,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<Progress> {
  const { object, objectUid, to } = plan;
  const map = await readMap(context, parseConfigMapTitle(object));
  if (map === undefined) return superseded(`${object} is gone`);
  if (map.metadata.uid !== objectUid) return superseded(`${object} was deleted and created again`);
  if (flagOf(map, to.key)?.digest !== to.contentDigest) {
    return superseded(`key ${to.key} of ${object} is not what this step sets: somebody else changed it`);
  }
  const { key, contentDigest } = to;
  return observeConsumers(plan, { key, contentDigest }, context, stuckAfterMs);
}
