import { contentDigest, contentOf } from "../../config-maps/content.ts";
import { isReplacementOf, readReplacement } from "../../config-maps/replacement.ts";
import { snapshotName } from "../../config-maps/snapshot.ts";
import { configMapType } from "../../kube/well-known.ts";
import type { ApplyContext, Progress } from "../action.ts";
import { parseConfigMapTitle } from "../config-map-title.ts";
import { observeConsumers } from "../observe-restarts.ts";
import { superseded } from "../results.ts";
import type { ConfigMapPlan } from "./plan.ts";

/** Whether the content is in place, and how far the pods that are to notice it are replaced. */
export async function observeConfigMap(
  plan: ConfigMapPlan,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<Progress> {
  const { executor, namespace, signal } = context;
  const { object, objectUid, to } = plan;
  const name = parseConfigMapTitle(object);
  const map = await executor.tryGet(configMapType, { namespace, name }, { signal });
  if (map === undefined) return observeAbsence(plan, name, context);
  const { uid } = map.metadata;
  if (uid !== objectUid && !isReplacementOf(map, objectUid)) {
    return superseded(`${object} was deleted and created again`);
  }
  if (contentDigest(name, contentOf(map)) !== to.contentDigest) {
    return superseded(`${object} does not hold what this step puts there: somebody else changed it`);
  }
  const { restartedAt: _, ...end } = to;
  const after = uid === objectUid ? end : { ...end, objectUid: uid };
  return observeConsumers(plan, after, context, stuckAfterMs);
}

/** No one is there. If we took it away, and may not go on, a person must know where its content is. */
async function observeAbsence(
  { object, objectUid, to }: ConfigMapPlan,
  name: string,
  context: ApplyContext,
): Promise<Progress> {
  const replacement = { name, uid: objectUid, digest: to.contentDigest };
  if ((await readReplacement(context, replacement)) === undefined) return superseded(`${object} is gone`);
  return {
    kind: "Failed",
    reason: "StepFailed",
    message: `${object} was deleted to be created anew, and that did not come about: create it from the content of ConfigMap/${snapshotName(name, to.contentDigest)}`,
  };
}
