import type { GitOpsObject } from "./kinds.ts";
import { valueAt } from "./hold-field.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * Whether the manifest that a tool applies to the object has the field: then it would be written again. By what was last
 * applied, and by the fields that the tool's manager wrote.
 */
export function setsField({ metadata }: GitOpsObject, path: readonly string[], manager: string): boolean {
  const { annotations, managedFields = [] } = metadata;
  if (valueAt(parsed(annotations?.[LAST_APPLIED]), path) !== undefined) return true;
  const managed = path.map((name) => `f:${name}`);
  return managedFields.some(
    (entry) => entry.manager === manager && valueAt(entry.fieldsV1, managed) !== undefined,
  );
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
