import {
  contentDigest,
  contentOf,
  withoutValues,
  withValues,
  type Content,
} from "../../config-maps/content.ts";
import {
  forgetReplacement,
  isReplacementOf,
  readReplacement,
  type Replacement,
} from "../../config-maps/replacement.ts";
import { keepSnapshots, readSnapshot } from "../../config-maps/snapshot-store.ts";
import { configMapType, type ConfigMap } from "../../kube/well-known.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { parseConfigMapTitle } from "../config-map-title.ts";
import { writeGuarded, type ReadyToWrite } from "../guarded-write.ts";
import { superseded } from "../results.ts";
import type { ConfigMapPlan, ConfigMapSpec } from "./plan.ts";
import { finishReplacement, replaceImmutable, sendContent } from "./write.ts";

/**
 * Puts the content of `plan.to` in place if that of `plan.from` is still live. Before anything is written both are stored
 * as snapshots: the way back, and what an interrupted replacement needs. Safe to repeat at any time.
 */
export async function applyConfigMap(
  plan: ConfigMapPlan,
  context: ApplyContext,
  spec?: ConfigMapSpec,
): Promise<ApplyResult> {
  const known: Content[] = [];
  const result = await writeGuarded(() => look(plan, context, spec, known));
  return result.kind === "Refused" ? { ...result, message: withoutValues(result.message, ...known) } : result;
}

/** Contents that are read go into `known`: none of their values may get into a message. */
async function look(
  plan: ConfigMapPlan,
  context: ApplyContext,
  spec: ConfigMapSpec | undefined,
  known: Content[],
): Promise<ApplyResult | ReadyToWrite> {
  const { executor, namespace, signal } = context;
  const { object, objectUid, from, to } = plan;
  const name = parseConfigMapTitle(object);
  const replacement: Replacement = { name, uid: objectUid, digest: to.contentDigest };
  const map = await executor.tryGet(configMapType, { namespace, name }, { signal });
  if (map === undefined) return resume(plan, replacement, context, known);
  const live = contentOf(map);
  known.push(live);
  const digest = contentDigest(name, live);
  if (map.metadata.uid !== objectUid) {
    if (to.immutable === true) await forgetReplacement(context, replacement);
    return isReplacementOf(map, objectUid) && digest === to.contentDigest
      ? { kind: "Applied", alreadyThere: true }
      : superseded(`${object} was deleted and created again`);
  }
  if (digest === to.contentDigest) return { kind: "Applied", alreadyThere: true };
  if (digest !== from.contentDigest || map.metadata.deletionTimestamp !== undefined) {
    return superseded(`${object} was changed by somebody else before the act`);
  }
  if ((map.immutable === true) !== (from.immutable === true)) {
    return superseded(`${object} was made immutable by somebody else before the act`);
  }
  const content = await targetContent(plan, live, spec, context);
  if ("kind" in content) return content;
  known.push(content);
  return { kind: "Ready", send: () => write(map, [live, content], replacement, context) };
}

/** The content to put back: its snapshot's, or made of the values of the step; by hash the one that was planned. */
async function targetContent(
  { object, to }: ConfigMapPlan,
  live: Content,
  spec: ConfigMapSpec | undefined,
  context: ApplyContext,
): Promise<Content | Extract<ApplyResult, { kind: "Refused" }>> {
  const name = parseConfigMapTitle(object);
  const values = spec?.to.values;
  const made = values === undefined ? undefined : withValues(live, values);
  if (made !== undefined && contentDigest(name, made) === to.contentDigest) return made;
  const stored = await readSnapshot(context, name, to.contentDigest);
  if (stored.kind === "Found") return stored.content;
  return refused("SnapshotGone", `${stored.message}: there is nothing any more to put back`);
}

async function write(
  map: ConfigMap,
  [live, content]: readonly [Content, Content],
  replacement: Replacement,
  context: ApplyContext,
): Promise<void> {
  await keepSnapshots(context, replacement.name, [live, content]);
  if (map.immutable === true) await replaceImmutable(map, replacement, content, context);
  else await sendContent(map, content, context, false);
}

/** The ConfigMap is gone: either by us, and then it is to come back, or by somebody else. */
async function resume(
  { object, to }: ConfigMapPlan,
  replacement: Replacement,
  context: ApplyContext,
  known: Content[],
): Promise<ApplyResult | ReadyToWrite> {
  if ((await readReplacement(context, replacement)) === undefined) return superseded(`${object} is gone`);
  const stored = await readSnapshot(context, replacement.name, to.contentDigest);
  if (stored.kind === "Gone") {
    return refused(
      "SnapshotGone",
      `${object} was deleted to be created anew, and its content is gone: ${stored.message}; create it by hand`,
    );
  }
  known.push(stored.content);
  return { kind: "Ready", send: () => finishReplacement(replacement, stored.content, context) };
}

function refused(reason: string, message: string): Extract<ApplyResult, { kind: "Refused" }> {
  return { kind: "Refused", reason, message };
}
