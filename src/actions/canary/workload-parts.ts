import type { KubeObject } from "../../kube/objects.ts";
import { jsonPointer, type JsonPatchOperation } from "../../kube/patch.ts";
import {
  autoscalersOf,
  isMovedByHpa,
  PAUSED_REPLICAS,
  scaledObjectType,
  type ScaledObject,
} from "../autoscalers.ts";
import { parseObject, readTarget, type ScaleTarget } from "../scale-target.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { ApplyContext } from "../action.ts";
import { FIELD_MANAGER } from "../../kube/field-manager.ts";
import { sendScale } from "../scale-patch.ts";
import type { CanaryPlan } from "./canary-plan.ts";
import type { Part, PartState } from "./part.ts";

export interface WorkloadParts {
  /** KEDA's pause before the number of replicas: it would start the pods again. */
  readonly parts: readonly Part[];
  readonly target: ScaleTarget | undefined;
}

/** The canary's own pods and what scales them; nothing for a plan that leaves them alone. Throws KubeError. */
export async function workloadParts(plan: CanaryPlan, context: ApplyContext): Promise<WorkloadParts> {
  const { workload, scaledObject } = plan.canary;
  if (workload === undefined) return { parts: [], target: undefined };
  const { executor, namespace, signal } = context;
  const [target, paused] = await Promise.all([
    readTarget(executor, namespace, parseObject(workload.object), signal),
    scaledObject === undefined
      ? undefined
      : executor.tryGet(scaledObjectType, { namespace, name: scaledObject.name }, { signal }),
  ]);
  const scale = {
    title: workload.object,
    changes: plan.from.replicas !== plan.to.replicas,
    state: await scaleState(plan, workload, target, context),
  };
  if (scaledObject === undefined) return { parts: [scale], target };
  const pause = {
    title: `ScaledObject/${scaledObject.name}`,
    changes: plan.from.pausedReplicas !== plan.to.pausedReplicas,
    state: pauseState(plan, scaledObject, paused, context),
  };
  return { parts: [pause, scale], target };
}

async function scaleState(
  { from, to }: CanaryPlan,
  { object, uid }: { readonly object: string; readonly uid: string },
  target: ScaleTarget | undefined,
  context: ApplyContext,
): Promise<PartState> {
  if (target === undefined) return foreign(`${object} is gone`);
  if (target.scale.metadata.uid !== uid) return foreign(`${object} was deleted and created again`);
  const { replicas } = target;
  const [before, wanted] = [from.replicas ?? replicas, to.replicas ?? replicas];
  if (replicas === wanted) return { kind: "To" };
  const act = `${object} is scaled to ${wanted}`;
  const { executor, signal } = context;
  const open: PartState = {
    kind: "From",
    act,
    send: () => sendScale(target, wanted, executor, signal, false),
  };
  if (replicas === before) return open;
  // An autoscaler moves the number by itself while there are pods, before our change and after our way back.
  if (replicas > 0 && (before > 0 || wanted > 0) && (await isMoved(object, context))) {
    return before > 0 ? open : { kind: "To" };
  }
  return foreign(`${object} was set to ${replicas} replicas by somebody else`);
}

async function isMoved(object: string, { executor, namespace, signal }: ApplyContext): Promise<boolean> {
  const autoscalers = await autoscalersOf(parseObject(object), executor, namespace, signal);
  return isMovedByHpa(autoscalers) || autoscalers.scaledObject !== undefined;
}

function pauseState(
  { from, to }: CanaryPlan,
  { name, uid }: { readonly name: string; readonly uid: string },
  object: ScaledObject | undefined,
  { executor, signal }: ApplyContext,
): PartState {
  const title = `ScaledObject ${name}`;
  if (object === undefined) return foreign(`${title} is gone`);
  if (object.metadata.uid !== uid) return foreign(`${title} was deleted and created again`);
  const live = pausedReplicas(object);
  if (live === to.pausedReplicas) return { kind: "To" };
  if (live !== from.pausedReplicas) return foreign(`the pause of ${title} was changed by somebody else`);
  const act = to.pausedReplicas === undefined ? `${title} goes on` : `${title} is paused`;
  return {
    kind: "From",
    act,
    send: () => sendPause(object, to.pausedReplicas, executor, signal, false),
  };
}

export function pausedReplicas({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[PAUSED_REPLICAS];
}

/** Sets or takes away KEDA's annotation. It tests the annotations that were read. Throws KubeError. */
export function sendPause(
  object: ScaledObject,
  paused: string | undefined,
  executor: KubeClient,
  signal: AbortSignal,
  dryRun: boolean,
): Promise<ScaledObject> {
  const { namespace = "", name, uid, annotations } = object.metadata;
  const path = jsonPointer("metadata", "annotations", PAUSED_REPLICAS);
  const operations: JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: uid },
    // Absent equals null.
    { op: "test", path: "/metadata/annotations", value: annotations ?? null },
  ];
  if (paused === undefined) operations.push({ op: "remove", path });
  else if (annotations !== undefined) operations.push({ op: "add", path, value: paused });
  else operations.push({ op: "add", path: "/metadata/annotations", value: { [PAUSED_REPLICAS]: paused } });
  return executor.patch(
    scaledObjectType,
    { namespace, name },
    { kind: "json", operations },
    { signal, dryRun, fieldManager: FIELD_MANAGER },
  );
}

function foreign(message: string): PartState {
  return { kind: "Foreign", message };
}
