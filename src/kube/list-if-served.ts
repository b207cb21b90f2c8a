import type { KubeClient } from "./client.ts";
import { isApiNotServed, isForbidden, isNotFound } from "./errors.ts";
import type { KubeObject, ResourceType } from "./objects.ts";

/**
 * Objects of a kind that may not be installed. Asks discovery first: without it a missing CRD and a missing right look
 * alike to an executor without rights. A missing right is a warning, for whoever must know that nobody looked.
 */
export async function listIfServed<T extends KubeObject>(
  type: ResourceType<T>,
  executor: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<{ readonly items: readonly T[]; readonly warnings: readonly string[] }> {
  const group = type.apiVersion.split("/")[0] ?? "";
  try {
    await executor.getPath(`/apis/${group}`, {}, { signal });
    const list = await executor.list(type, { namespace, signal });
    return { items: list.items, warnings: [] };
  } catch (error) {
    if (isNotFound(error) || isApiNotServed(error)) return { items: [], warnings: [] };
    if (isForbidden(error)) {
      return {
        items: [],
        warnings: [`unchecked: no right to list ${type.plural}.${group}, so an owner there was not seen`],
      };
    }
    throw error;
  }
}
