import {
  contentDigest,
  contentOf,
  keyChanges,
  MOST_BYTES,
  sizeOf,
  type Content,
} from "../../config-maps/content.ts";
import type { ConfigMapStep } from "../../crds/steps.ts";
import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import { configMapType, type ConfigMap } from "../../kube/well-known.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { ownerWarnings } from "../config-map-owner.ts";
import { configMapTitle } from "../config-map-title.ts";
import { planConsumerRestarts } from "../consumer-restarts.ts";
import { digestOf } from "../digest.ts";
import { boundedWarnings } from "../warnings.ts";
import { chooseContent } from "./choose.ts";
import { rehearse } from "./rehearse.ts";

export type ConfigMapSpec = ConfigMapStep;

/** A plan of this action always knows both contents by their digests. */
export type ConfigMapPlan = Omit<PlannedStep, "objectUid" | "from" | "to"> & {
  readonly objectUid: string;
  readonly from: ContentEnd;
  readonly to: ContentEnd;
};

export type ContentEnd = StepEnd & { readonly contentDigest: string };

/** A stored plan with both its digests, if it has them. */
export function narrowConfigMap(planned: PlannedStep): ConfigMapPlan | undefined {
  const { objectUid } = planned;
  const [from, to] = [endOf(planned.from), endOf(planned.to)];
  if (objectUid === undefined || from === undefined || to === undefined) return undefined;
  return from.contentDigest === to.contentDigest ? undefined : { ...planned, objectUid, from, to };
}

function endOf(end: StepEnd | undefined): ContentEnd | undefined {
  const digest = end?.contentDigest;
  // A plan about one key is that of another action.
  return digest === undefined || end?.key !== undefined ? undefined : { ...end, contentDigest: digest };
}

/** Looks, finds the content to put back and who reads it, and tries without storing; changes nothing. */
export async function planConfigMap(
  stepName: string,
  spec: ConfigMapSpec,
  context: PlanContext,
): Promise<PlanResult<ConfigMapPlan>> {
  const { executor, namespace, signal } = context;
  const object = configMapTitle(spec.name);
  const map = await executor.tryGet(configMapType, { namespace, name: spec.name }, { signal });
  if (map === undefined || map.metadata.deletionTimestamp !== undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${namespace}`);
  }
  const owned = context.gitOps.refusal(map);
  if (owned !== undefined) return refused("TargetOwned", `${object} is ${owned}`);
  const from = contentOf(map);
  const fromDigest = contentDigest(spec.name, from);
  const expected = context.from?.contentDigest;
  if (expected !== undefined && expected !== fromDigest) {
    return {
      kind: "Superseded",
      message: `${object} was changed by somebody else since this request was accepted: nothing was changed`,
    };
  }
  const choice = await chooseContent(spec, map, context);
  if (choice.kind !== "Chosen") return choice;
  const to = choice.content;
  const toDigest = contentDigest(spec.name, to);
  if (toDigest === fromDigest) {
    return {
      kind: "NothingToDo",
      message: `${object} holds that content already`,
      live: { contentDigest: fromDigest },
    };
  }
  const unfit = unfitness(map, to, object);
  if (unfit !== undefined) return unfit;
  const wantsRestart = () => spec.restart === "Always";
  const [consumers, rehearsal] = await Promise.all([
    planConsumerRestarts({ map, to, wantsRestart }, context),
    rehearse(map, to, context),
  ]);
  if (consumers.kind === "Refused") return consumers;
  if (rehearsal !== undefined) return rehearsal;
  const immutable = map.immutable === true ? { immutable: true } : {};
  const anew = `${object} is immutable, so it is deleted and created anew with the same labels and annotations`;
  const warnings = [
    ...ownerWarnings(map),
    ...choice.warnings,
    ...(map.immutable === true ? [anew] : []),
    ...consumers.warnings,
  ];
  const { restarts } = consumers;
  const identity = { action: "configMap", object, objectUid: map.metadata.uid };
  const what = { from: fromDigest, to: toDigest, restarts, ...immutable };
  return {
    kind: "Planned",
    plan: {
      name: stepName,
      digest: digestOf({ ...identity, ...what, executor: context.executorName }),
      ...identity,
      from: { contentDigest: fromDigest, ...immutable },
      to: {
        contentDigest: toDigest,
        ...immutable,
        ...(restarts.length === 0 ? {} : { restartedAt: new Date(context.now).toISOString() }),
      },
      changes: [...keyChanges(spec.name, from, to)],
      ...(restarts.length === 0 ? {} : { restarts: [...restarts] }),
      warnings: boundedWarnings(warnings),
    },
  };
}

function unfitness(
  { immutable, metadata }: ConfigMap,
  to: Content,
  object: string,
): PlanResult<ConfigMapPlan> | undefined {
  const bytes = sizeOf(to);
  if (bytes > MOST_BYTES) {
    return refused(
      "TooLarge",
      `${object} would hold ${bytes} bytes, and a ConfigMap holds ${MOST_BYTES} at most: set fewer or shorter values`,
    );
  }
  const { finalizers = [] } = metadata;
  if (immutable === true && finalizers.length > 0) {
    return refused(
      "TargetOwned",
      `${object} is immutable, and cannot be created anew while its finalizers hold it: ${finalizers.join(", ")}`,
    );
  }
  return undefined;
}

function refused(reason: string, message: string): Extract<PlanResult<ConfigMapPlan>, { kind: "Refused" }> {
  return { kind: "Refused", reason, message };
}
