import type { PlannedStep } from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import type { ScalableKind } from "../../kube/scale-types.ts";
import { ownershipOf } from "../../workloads/ownership.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { digestOf } from "../digest.ts";
import { boundedWarnings } from "../warnings.ts";
import { autoscalersOf, isMovedByHpa, judgeAutoscalers } from "../autoscalers.ts";
import { sendScale } from "../scale-patch.ts";
import { readTarget, type ScaleTarget } from "../scale-target.ts";

export interface ScaleSpec {
  readonly kind: ScalableKind;
  readonly name: string;
  readonly replicas: number;
}

/** A plan of this action always knows both numbers. */
export type ScalePlan = Omit<PlannedStep, "objectUid" | "from" | "to"> & {
  readonly objectUid: string;
  readonly from: { readonly replicas: number };
  readonly to: { readonly replicas: number };
};

/** Whoever changes it is done with it soon. */
const CHANGED_POLL_MS = 250;

/** A stored plan with both its numbers, if it has them. */
export function narrowScale(planned: PlannedStep): ScalePlan | undefined {
  const { objectUid } = planned;
  const from = planned.from?.replicas;
  const to = planned.to?.replicas;
  if (objectUid === undefined || from === undefined || to === undefined) return undefined;
  return { ...planned, objectUid, from: { replicas: from }, to: { replicas: to } };
}

/** Looks, asks who else scales the workload, and tries without storing; changes nothing. */
export async function planScale(
  stepName: string,
  spec: ScaleSpec,
  context: PlanContext,
): Promise<PlanResult<ScalePlan>> {
  const { executor, namespace, signal } = context;
  const object = `${spec.kind}/${spec.name}`;
  const target = await readTarget(executor, namespace, spec, signal);
  if (target === undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${namespace}`);
  }
  if (target.workload.metadata.deletionTimestamp !== undefined) {
    return refused("TargetNotFound", `${object} is being deleted`);
  }
  const from = startOf(target, context);
  if (from === spec.replicas) {
    const message = `${object} has ${from === 1 ? "1 replica" : `${from} replicas`} already`;
    return { kind: "NothingToDo", message, incomplete: incompleteOf(target, from) };
  }
  const [ownership, autoscalers, rehearsal] = await Promise.all([
    ownershipOf({ kind: spec.kind, object: target.workload }, context),
    autoscalersOf(spec, executor, namespace, signal),
    rehearse(target, spec, context),
  ]);
  if (ownership.kind === "Foreign") return refused("TargetOwned", `${object} is ${ownership.message}`);
  const verdict = judgeAutoscalers(autoscalers, from, spec.replicas);
  if (verdict.kind === "Owned") return refused("TargetOwned", `${object} is ${verdict.message}`);
  // An autoscaler moves the number up and down, which is no change that anybody made; only 0 is left to people.
  const isFloating = isMovedByHpa(autoscalers) && from > 0;
  const changed = isFloating ? undefined : changedSinceAccepted(from, context, object);
  if (changed !== undefined) return changed;
  if (rehearsal !== undefined) return rehearsal;
  const warnings = [...ownership.warnings, ...verdict.warnings];
  return {
    kind: "Planned",
    plan: toPlan(stepName, object, target, { from, to: spec.replicas, isFloating }, context, warnings),
  };
}

/** Pods that are wanted and not ready, or not wanted and still there. */
function incompleteOf({ workload: { status = {} } }: ScaleTarget, wanted: number): string | undefined {
  const { replicas = 0, readyReplicas = 0 } = status;
  if (wanted === 0) return replicas === 0 ? undefined : `${replicas} pods are not gone yet`;
  return replicas === wanted && readyReplicas === wanted ? undefined : `${readyReplicas}/${wanted} ready`;
}

/** Where the step starts: at what an earlier step of the same request will have made, or else at what is live. */
function startOf({ replicas }: ScaleTarget, { earlier }: PlanContext): number {
  return earlier?.done === false ? (earlier.end.replicas ?? replicas) : replicas;
}

function changedSinceAccepted(
  live: number,
  { earlier, from }: PlanContext,
  object: string,
): PlanResult<ScalePlan> | undefined {
  if (earlier?.done === false && earlier.end.replicas !== undefined) return undefined;
  const expected = earlier?.end.replicas ?? from?.replicas;
  if (expected === undefined || expected === live) return undefined;
  return {
    kind: "Superseded",
    message: `${object} went from ${expected} to ${live} replicas since this request was accepted: nothing was changed`,
  };
}

/** Admission webhooks and policies speak up in a dry run. Undefined when nobody objects. */
async function rehearse(
  target: ScaleTarget,
  spec: ScaleSpec,
  { executor, namespace, signal }: PlanContext,
): Promise<PlanResult<ScalePlan> | undefined> {
  const object = `${spec.kind}/${spec.name}`;
  try {
    await sendScale(target, spec.replicas, executor, signal, true);
    return undefined;
  } catch (error) {
    const words = `${object}: the API server would refuse the change: ${errorMessage(error)}`;
    if (isForbidden(error)) return refused("DryRunRefused", words);
    if (!isInvalid(error) && !isNotFound(error)) throw error;
    const now = await readTarget(executor, namespace, spec, signal);
    const isSame = now?.replicas === target.replicas && now.scale.metadata.uid === target.scale.metadata.uid;
    if (isSame) return refused("DryRunRefused", words);
    return {
      kind: "Pending",
      message: `${object} was changed while it was looked at`,
      pollAfterMs: CHANGED_POLL_MS,
    };
  }
}

function toPlan(
  name: string,
  object: string,
  { scale }: ScaleTarget,
  { from, to, isFloating }: { readonly from: number; readonly to: number; readonly isFloating: boolean },
  { executorName: executor }: PlanContext,
  warnings: readonly string[],
): ScalePlan {
  const identity = { action: "scale", object, objectUid: scale.metadata.uid, to: { replicas: to } };
  return {
    name,
    digest: digestOf({ ...identity, executor, ...(isFloating ? {} : { from }) }),
    ...identity,
    from: { replicas: from },
    changes: ["spec.replicas"],
    warnings: boundedWarnings(warnings),
  };
}

function refused(reason: string, message: string): Extract<PlanResult<ScalePlan>, { kind: "Refused" }> {
  return { kind: "Refused", reason, message };
}
