import type { TemporaryChange } from "../crds/temporary-change.ts";
import type { KubeClient } from "../kube/client.ts";
import type { JsonPatchOperation } from "../kube/patch.ts";
import type { Right } from "../kube/right.ts";
import {
  horizontalPodAutoscalerType,
  scalablePlural,
  type HorizontalPodAutoscaler,
} from "../kube/scale-types.ts";
import { autoscalersOf, isMovedByHpa } from "./autoscalers.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";
import { sendScale } from "./scale-patch.ts";
import { parseObject, readTarget } from "./scale-target.ts";

/** Who acts, and where. */
export interface Acting {
  readonly executor: KubeClient;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/** A number in an object that steps move, as it is now. */
export interface LiveValue {
  readonly uid: string;
  readonly value: number;
  /** Whether an autoscaler moves it by itself while it is not 0: then another value is nobody's change. */
  isFloating(): Promise<boolean>;
  /** Sets it, if it is still what was read. Throws KubeError; 422 when it is not. */
  send(value: number, dryRun: boolean): Promise<unknown>;
}

type Field = Pick<TemporaryChange, "change" | "object">;

/** Undefined when there is no such object. Throws KubeError; TypeError on an object of another kind. */
export function readValue({ change, object }: Field, acting: Acting): Promise<LiveValue | undefined> {
  switch (change) {
    case "Replicas":
      return readReplicas(object, acting);
    case "MinReplicas":
      return readMinReplicas(object, acting);
  }
}

/** What moving it takes. */
export function rightsToMove({ change, object }: Field): readonly Right[] {
  switch (change) {
    case "Replicas": {
      const { kind, name } = parseObject(object);
      const resource = scalablePlural(kind);
      return [
        { apiGroup: "apps", resource, verb: "get", name },
        { apiGroup: "apps", resource: `${resource}/scale`, verb: "get", name },
        { apiGroup: "apps", resource: `${resource}/scale`, verb: "patch", name },
      ];
    }
    case "MinReplicas": {
      const hpa = { apiGroup: "autoscaling", resource: "horizontalpodautoscalers", name: hpaName(object) };
      return [
        { ...hpa, verb: "get" },
        { ...hpa, verb: "patch" },
      ];
    }
  }
}

async function readReplicas(
  object: string,
  { executor, namespace, signal }: Acting,
): Promise<LiveValue | undefined> {
  const key = parseObject(object);
  const target = await readTarget(executor, namespace, key, signal);
  if (target === undefined) return undefined;
  return {
    uid: target.scale.metadata.uid,
    value: target.replicas,
    isFloating: async () => isMovedByHpa(await autoscalersOf(key, executor, namespace, signal)),
    send: (value, dryRun) => sendScale(target, value, executor, signal, dryRun),
  };
}

async function readMinReplicas(
  object: string,
  { executor, namespace, signal }: Acting,
): Promise<LiveValue | undefined> {
  const key = { namespace, name: hpaName(object) };
  const hpa = await executor.tryGet(horizontalPodAutoscalerType, key, { signal });
  if (hpa === undefined) return undefined;
  return {
    uid: hpa.metadata.uid,
    value: minReplicasOf(hpa),
    isFloating: () => Promise.resolve(false),
    send: (value, dryRun) => {
      const path = "/spec/minReplicas";
      const { minReplicas } = hpa.spec;
      const operations: readonly JsonPatchOperation[] = [
        { op: "test", path: "/metadata/uid", value: hpa.metadata.uid },
        ...(minReplicas === undefined ? [] : [{ op: "test", path, value: minReplicas } as const]),
        { op: "add", path, value },
      ];
      return executor.patch(
        horizontalPodAutoscalerType,
        key,
        { kind: "json", operations },
        { signal, dryRun, fieldManager: FIELD_MANAGER },
      );
    },
  };
}

export function minReplicasOf({ spec }: HorizontalPodAutoscaler): number {
  return spec.minReplicas ?? 1;
}

/** The inverse of `HorizontalPodAutoscaler/name`. Throws TypeError on anything else. */
function hpaName(object: string): string {
  const [kind, name = ""] = object.split("/");
  if (kind !== "HorizontalPodAutoscaler" || name === "") {
    throw new TypeError(`"${object}" is no HorizontalPodAutoscaler`);
  }
  return name;
}
