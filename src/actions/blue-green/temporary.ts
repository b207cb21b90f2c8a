import type { TemporaryChange } from "../../crds/temporary-change.ts";
import { missingRights } from "../../kube/missing-rights.ts";
import type { HorizontalPodAutoscaler } from "../../kube/scale-types.ts";
import { ownershipOf } from "../../workloads/ownership.ts";
import type { PlanContext } from "../action.ts";
import { autoscalersOf, judgeAutoscalers } from "../autoscalers.ts";
import { minReplicasOf, rightsToMove } from "../live-value.ts";
import type { ScaleTarget } from "../scale-target.ts";
import { servicesOnlyOn } from "../services-only-on.ts";
import type { BlueGreenSpec } from "./end.ts";
import type { Refusal } from "./preflight.ts";

export type Measures =
  | {
      readonly kind: "Possible";
      readonly changes: readonly TemporaryChange[];
      readonly warnings: readonly string[];
    }
  | (Refusal & { readonly kind: "Refused" });

export interface Surroundings {
  readonly spec: BlueGreenSpec;
  readonly serviceUid: string;
  readonly context: PlanContext;
}

/**
 * What makes `needed` pods of the colour that is to get the traffic. A HorizontalPodAutoscaler is asked through its
 * minReplicas; it does nothing at 0 replicas, so from there the number is written as well. Reads only. Throws KubeError.
 */
export async function raises(
  colour: ScaleTarget,
  needed: number,
  leftDigest: string,
  { spec, serviceUid, context }: Surroundings,
): Promise<Measures> {
  const { executor, namespace, signal } = context;
  const { kind, replicas, scale } = colour;
  const { name, uid } = scale.metadata;
  const object = `${kind}/${name}`;
  const { hpa, scaledObject, warnings } = await autoscalersOf({ kind, name }, executor, namespace, signal);
  if (scaledObject !== undefined) {
    if (replicas >= needed) return { kind: "Possible", changes: [], warnings };
    return refused(
      "TargetOwned",
      `${object} has ${replicas} of ${needed} pods and is scaled by KEDA ScaledObject ${scaledObject.metadata.name}: set its minReplicaCount to ${needed}, then ask again`,
    );
  }
  if (hpa !== undefined && hpa.spec.maxReplicas < needed) {
    return refused(
      "CapacityTooSmall",
      `HorizontalPodAutoscaler/${hpa.metadata.name} allows ${object} at most ${hpa.spec.maxReplicas} pods, and ${needed} are needed: raise its maxReplicas, or set replicas of the step`,
    );
  }
  const raised = hpa !== undefined && minReplicasOf(hpa) < needed ? hpa : undefined;
  const isWritten = replicas < needed && (hpa === undefined || replicas === 0);
  const owner =
    (raised && (await ownerOf("HorizontalPodAutoscaler", raised, context))) ??
    (isWritten ? await ownerOf(kind, colour.workload, context) : undefined);
  if (owner !== undefined) return refused("TargetOwned", `${owner}; or bring it to ${needed} pods yourself`);
  const { holdFor } = spec;
  const raise = raised && raiseMin(raised, needed, { holdFor, context });
  // Not asked of those who have no autoscaler.
  const lack = raise && (await missingRights(executor, namespace, rightsToMove(raise), signal));
  if (lack !== undefined) {
    return refused("AccessDenied", `ServiceAccount ${namespace}/${context.executorName} ${lack}`);
  }
  return {
    kind: "Possible",
    warnings,
    changes: [
      ...(raise === undefined ? [] : [raise]),
      ...(isWritten
        ? [
            {
              change: "Replicas",
              object,
              objectUid: uid,
              found: replicas,
              during: needed,
              restore: replicas,
              holdFor,
              // With the traffic its number is its own.
              onlyWhile: condition(spec.service, serviceUid, leftDigest),
            } as const,
          ]
        : []),
    ],
  };
}

function raiseMin(
  hpa: HorizontalPodAutoscaler,
  during: number,
  { holdFor, context }: { readonly holdFor: string; readonly context: PlanContext },
): TemporaryChange {
  const { name, uid: objectUid } = hpa.metadata;
  const found = minReplicasOf(hpa);
  // Still raised by an earlier request: what was there before that one is what comes back.
  const earlier = context.ledger?.due?.find(
    (due) => due.change === "MinReplicas" && due.objectUid === objectUid && due.during === found,
  );
  const object = `HorizontalPodAutoscaler/${name}`;
  return {
    change: "MinReplicas",
    object,
    objectUid,
    found,
    during,
    restore: earlier?.restore ?? found,
    holdFor,
  };
}

/** What takes the old colour away after the hold; a warning where it has to stay. Reads only. Throws KubeError. */
export async function lowering(
  colour: ScaleTarget,
  madeDigest: string,
  { spec, serviceUid, context }: Surroundings,
): Promise<Extract<Measures, { kind: "Possible" }>> {
  const { executor, namespace, signal } = context;
  const { kind, replicas, scale } = colour;
  const { name, uid } = scale.metadata;
  const object = `${kind}/${name}`;
  const possible = (warnings: readonly string[], changes: readonly TemporaryChange[] = []) =>
    ({ kind: "Possible", changes, warnings }) as const;
  if (spec.afterHold === "Keep" || replicas === 0) return possible([]);
  const stays = (why: string) => possible([`${object} is not scaled down after the hold: ${why}`]);
  const autoscalers = await autoscalersOf({ kind, name }, executor, namespace, signal);
  const verdict = judgeAutoscalers(autoscalers, replicas, 0);
  if (verdict.kind === "Owned") return stays(verdict.message);
  const owner = await ownerOf(kind, colour.workload, context);
  if (owner !== undefined) return stays(owner);
  const dependants = await servicesOnlyOn(colour, spec.service, context);
  if (dependants.length > 0) return stays(`Service/${dependants.join(", Service/")} has no other pods`);
  const change: TemporaryChange = {
    change: "Replicas",
    object,
    objectUid: uid,
    found: replicas,
    during: replicas,
    restore: 0,
    holdFor: spec.holdFor,
    onlyWhile: condition(spec.service, serviceUid, madeDigest),
  };
  return possible(verdict.warnings, [change]);
}

function condition(service: string, objectUid: string, selectorDigest: string) {
  return { object: `Service/${service}`, objectUid, selectorDigest };
}

async function ownerOf(
  kind: string,
  object: ScaleTarget["workload"] | HorizontalPodAutoscaler,
  context: PlanContext,
): Promise<string | undefined> {
  const ownership = await ownershipOf({ kind, object }, context);
  return ownership.kind === "Foreign" ? `${kind}/${object.metadata.name} is ${ownership.message}` : undefined;
}

function refused(reason: string, message: string): Measures {
  return { kind: "Refused", reason, message };
}
