import { isDeepStrictEqual } from "node:util";
import type { CallOptions, KubeClient } from "./client.ts";
import type { KubeObject, ResourceType } from "./objects.ts";

/**
 * Writes `status` when it differs from the object's, by PUT of the status subresource with the object's
 * resourceVersion. Returns the object as the server has it now, or the very object given when nothing differs.
 * Throws isConflict when the object moved: that is the fence between two leaders, never retry it with a fresh version.
 */
export async function writeStatus<T extends KubeObject & { readonly status?: unknown }>(
  client: Pick<KubeClient, "replaceStatus">,
  type: ResourceType<T>,
  object: T,
  status: NonNullable<T["status"]>,
  options: CallOptions,
): Promise<T> {
  // What JSON drops (undefined) is no difference.
  if (isDeepStrictEqual(asJson(object.status ?? {}), asJson(status))) return object;
  return client.replaceStatus(type, { ...object, status }, options);
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
