import { contentOf, withoutValues, type Content } from "../../config-maps/content.ts";
import { subjectOf } from "../../config-maps/snapshot.ts";
import { keepSnapshots, readSnapshot } from "../../config-maps/snapshot-store.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { parseConfigMapTitle } from "../config-map-title.ts";
import { writeGuarded, type ReadyToWrite } from "../guarded-write.ts";
import { superseded } from "../results.ts";
import { flagDigest, flagOf, readMap, sendFlag, type LiveFlag } from "./flag.ts";
import type { FlagPlan, FlagSpec } from "./plan.ts";

/**
 * Sets the value of `plan.to` if that of `plan.from` is still live. Before that both are stored as snapshots of that one
 * key: the way back. Safe to repeat at any time.
 */
export async function applyFlag(
  plan: FlagPlan,
  context: ApplyContext,
  spec?: FlagSpec,
): Promise<ApplyResult> {
  const known: Content[] = [];
  const result = await writeGuarded(() => look(plan, context, spec, known));
  return result.kind === "Refused" ? { ...result, message: withoutValues(result.message, ...known) } : result;
}

/** Contents that are read go into `known`: none of their values may get into a message. */
async function look(
  plan: FlagPlan,
  context: ApplyContext,
  spec: FlagSpec | undefined,
  known: Content[],
): Promise<ApplyResult | ReadyToWrite> {
  const { object, objectUid, from, to } = plan;
  const name = parseConfigMapTitle(object);
  const map = await readMap(context, name);
  if (map === undefined) return superseded(`${object} is gone`);
  known.push(contentOf(map));
  if (map.metadata.uid !== objectUid) return superseded(`${object} was deleted and created again`);
  const flag = flagOf(map, to.key);
  if (flag === undefined) return superseded(`key ${to.key} of ${object} was taken away by somebody else`);
  if (flag.digest === to.contentDigest) return { kind: "Applied", alreadyThere: true };
  if (flag.digest !== from.contentDigest) {
    return superseded(`key ${to.key} of ${object} was changed by somebody else before the act`);
  }
  if (map.immutable === true)
    return superseded(`${object} was made immutable by somebody else before the act`);
  const wanted = await wantedValue(plan, spec, context);
  if ("kind" in wanted) return wanted;
  known.push(wanted);
  return { kind: "Ready", send: () => write(flag, wanted, to.key, context) };
}

/** From the step itself, or from a snapshot; by hash the one that was planned. */
async function wantedValue(
  { object, to }: FlagPlan,
  spec: FlagSpec | undefined,
  context: ApplyContext,
): Promise<Content | Extract<ApplyResult, { kind: "Refused" }>> {
  const name = parseConfigMapTitle(object);
  const value = spec?.configMap.value;
  const made = value === undefined ? undefined : { data: { [to.key]: value }, binaryData: {} };
  if (made !== undefined && flagDigest(name, to.key, made) === to.contentDigest) return made;
  const stored = await readSnapshot(context, subjectOf(name, to.key), to.contentDigest);
  if (stored.kind === "Found") return stored.content;
  const message = `${stored.message}: there is nothing any more to put back`;
  return { kind: "Refused", reason: "SnapshotGone", message };
}

async function write(flag: LiveFlag, wanted: Content, key: string, context: ApplyContext): Promise<void> {
  await keepSnapshots(context, subjectOf(flag.map.metadata.name, key), [flag.content, wanted]);
  await sendFlag(flag, key, wanted.data[key] ?? "", context, false);
}
