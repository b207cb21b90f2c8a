import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/errors.ts";
import type { KubeObject, ObjectKey, ResourceType } from "../../kube/objects.ts";
import type { JsonPatchOperation } from "../../kube/patch.ts";
import type { Deployment, Pod, ReplicaSet } from "../../kube/well-known.ts";

/** One Deployment with its ReplicaSets and pods, in memory; JSON patches are judged as the API server does. */
export interface MemoryWorkloads {
  readonly client: KubeClient;
  deployment: Deployment | undefined;
  replicaSets: readonly ReplicaSet[];
  pods: readonly Pod[];
  /** Accepted patches; dry runs left out. */
  readonly patches: (readonly JsonPatchOperation[])[];
  /** What others do while a patch is on its way. Called before each, dry runs included. */
  meanwhile: () => void;
  /** A refusal of the server for every call of these verbs. */
  forbidden: readonly string[];
}

export function memoryWorkloads(
  deployment: Deployment | undefined,
  replicaSets: readonly ReplicaSet[],
  pods: readonly Pod[] = [],
): MemoryWorkloads {
  const refuse = (code: number, reason: string, verb: string) =>
    new KubeError({
      code,
      reason,
      verb,
      target: "deployments.apps shop/web",
      path: "",
      detail: "said the server",
      retryable: false,
      outcomeUnknown: false,
    });
  const check = (verb: string) => {
    if (world.forbidden.includes(verb)) throw refuse(403, "Forbidden", verb);
  };
  const client = {
    as: () => client,
    tryGet: async (type: ResourceType, key: ObjectKey) => {
      check("get");
      if (type.kind === "Deployment") return world.deployment;
      return world.replicaSets.find(({ metadata }) => metadata.name === key.name);
    },
    list: async (type: ResourceType) => {
      check("list");
      const items: Readonly<Record<string, readonly KubeObject[]>> = {
        ReplicaSet: world.replicaSets,
        Pod: world.pods,
      };
      return { items: items[type.kind] ?? [], resourceVersion: "1" };
    },
    getPath: async () => {
      throw refuse(404, "ApiNotServed", "get");
    },
    patch: async (
      _type: ResourceType,
      _key: unknown,
      patch: { readonly operations: readonly JsonPatchOperation[] },
      { dryRun = false }: { readonly dryRun?: boolean },
    ) => {
      world.meanwhile();
      check("patch");
      if (world.deployment === undefined) throw refuse(404, "NotFound", "patch");
      const patched = patch.operations.reduce<unknown>((object, operation) => {
        const changed = applied(object, operation);
        if (changed === undefined) throw refuse(422, "Invalid", "patch");
        return changed;
      }, world.deployment) as Deployment;
      if (dryRun) return patched;
      world.patches.push(patch.operations);
      world.deployment = patched;
      return patched;
    },
  } as unknown as KubeClient;
  const world: MemoryWorkloads = {
    client,
    deployment,
    replicaSets,
    pods,
    patches: [],
    meanwhile: () => undefined,
    forbidden: [],
  };
  return world;
}

/** RFC 6902 on a copy; undefined when a test fails or a path does not exist. */
export function applied(object: unknown, operation: JsonPatchOperation): unknown {
  const segments = operation.path
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
  const copy = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
  const last = segments.pop() ?? "";
  let parent = copy;
  for (const segment of segments) {
    const next = parent[segment];
    if (typeof next !== "object" || next === null) return undefined;
    parent = next as Record<string, unknown>;
  }
  switch (operation.op) {
    case "test":
      return isDeepStrictEqual(parent[last], operation.value) ? copy : undefined;
    case "add":
      parent[last] = operation.value;
      return copy;
    case "replace":
      if (!(last in parent)) return undefined;
      parent[last] = operation.value;
      return copy;
    case "remove":
      if (!(last in parent)) return undefined;
      delete parent[last];
      return copy;
    default:
      throw new TypeError(`${operation.op} is not played here`);
  }
}
