import {
  autoscalersOf,
  isMovedByHpa,
  judgeAutoscalers,
  scaledObjectType,
  type Autoscalers,
  type ScaledObject,
} from "../autoscalers.ts";
import { readTarget, type ScaleTarget } from "../scale-target.ts";
import { ownershipOf } from "../../workloads/ownership.ts";
import type { PlanContext } from "../action.ts";
import { sendScale } from "../scale-patch.ts";
import type { CanarySpec } from "./canary-plan.ts";
import { rehearsed } from "./rehearsed.ts";
import { refused, type Findings, type Refusal } from "./refusal.ts";
import { sendPause } from "./workload-parts.ts";

/** The canary's own workload, and how it will be taken away. */
export interface WorkloadFindings extends Findings {
  readonly target?: ScaleTarget | undefined;
  readonly scaledObject?: ScaledObject | undefined;
  /** An autoscaler moves its number of replicas, which is no change that anybody made. */
  readonly isFloating: boolean;
}

const NOTHING: WorkloadFindings = { warnings: [], isFloating: false };

/** Looks at the workload and tries without storing; changes nothing. Throws KubeError. */
export async function planWorkload(
  { scaleDown }: CanarySpec,
  context: PlanContext,
): Promise<WorkloadFindings> {
  if (scaleDown === undefined) return NOTHING;
  const { executor, namespace, signal } = context;
  const object = `${scaleDown.kind}/${scaleDown.name}`;
  const target = await readTarget(executor, namespace, scaleDown, signal);
  if (target === undefined || target.workload.metadata.deletionTimestamp !== undefined) {
    return refuse(
      "TargetNotFound",
      `${object}, the canary's workload, does not exist in namespace ${namespace}`,
    );
  }
  if (target.replicas === 0) return { ...NOTHING, target };
  const [ownership, autoscalers] = await Promise.all([
    ownershipOf({ kind: scaleDown.kind, object: target.workload }, context),
    autoscalersOf(scaleDown, executor, namespace, signal),
  ]);
  if (ownership.kind === "Foreign") return refuse("TargetOwned", `${object} is ${ownership.message}`);
  const { scaledObject } = autoscalers;
  const verdict = judge(autoscalers, target.replicas);
  if (verdict.kind === "Owned") return refuse("TargetOwned", `${object} is ${verdict.message}`);
  const refusal =
    (await pauseRefusal(scaledObject, context)) ?? (await scaleRefusal(target, object, context));
  if (refusal !== undefined) return { ...NOTHING, refusal };
  return {
    target,
    scaledObject,
    isFloating: isMovedByHpa(autoscalers) || scaledObject !== undefined,
    warnings: [...ownership.warnings, ...verdict.warnings],
  };
}

/** KEDA is paused by the step itself, and with it the HorizontalPodAutoscaler that KEDA made. */
function judge(autoscalers: Autoscalers, replicas: number): ReturnType<typeof judgeAutoscalers> {
  const { scaledObject, warnings } = autoscalers;
  if (scaledObject === undefined) return judgeAutoscalers(autoscalers, replicas, 0);
  return {
    kind: "Free",
    warnings: [
      ...warnings,
      `KEDA ScaledObject ${scaledObject.metadata.name} is paused at 0 replicas by its annotation until you remove that`,
    ],
  };
}

async function pauseRefusal(
  scaledObject: ScaledObject | undefined,
  { executor, executorName, namespace, signal }: PlanContext,
): Promise<Refusal | undefined> {
  if (scaledObject === undefined) return undefined;
  const { name } = scaledObject.metadata;
  const [group = ""] = scaledObjectType.apiVersion.split("/");
  const rights = ["get", "patch"].map((verb) => ({
    namespace,
    verb,
    group,
    resource: scaledObjectType.plural,
    name,
  }));
  const answers = await Promise.all(rights.map((right) => executor.canI(right, { signal })));
  const lacking = rights.filter((_, index) => answers[index]?.allowed !== true).map(({ verb }) => verb);
  if (lacking.length > 0) {
    const words = lacking.map((verb) => `${verb} ${scaledObjectType.plural}.${group} ${name}`);
    return refused(
      "AccessDenied",
      `ServiceAccount ${namespace}/${executorName} may not ${words.join(", ")}, and KEDA would start the canary again: add these to its Role`,
    );
  }
  return refusalOf(sendPause(scaledObject, "0", executor, signal, true), `ScaledObject ${name}`);
}

function scaleRefusal(
  target: ScaleTarget,
  object: string,
  { executor, signal }: PlanContext,
): Promise<Refusal | undefined> {
  return refusalOf(sendScale(target, 0, executor, signal, true), object);
}

async function refusalOf(dryRun: Promise<unknown>, title: string): Promise<Refusal | undefined> {
  const result = await rehearsed(dryRun, title);
  return result.kind === "Refused" ? result : undefined;
}

function refuse(reason: string, message: string): WorkloadFindings {
  return { ...NOTHING, refusal: refused(reason, message) };
}
