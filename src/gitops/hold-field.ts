import type { FoundValue, GitOpsOwnerKind } from "../crds/gitops-hold.ts";
import { jsonPointer, type JsonPatchOperation } from "../kube/patch.ts";

/** The one field by which a tool is stopped. */
export interface HoldField {
  readonly path: readonly string[];
  /** Its value while it is stopped. */
  readonly during: boolean;
}

/** `enabled` keeps prune and selfHeal where they are; Argo CD's own switch in its user interface does the same. */
const AUTOMATED: HoldField = { path: ["spec", "syncPolicy", "automated", "enabled"], during: false };
const SUSPEND: HoldField = { path: ["spec", "suspend"], during: true };

export function holdField(kind: GitOpsOwnerKind): HoldField {
  return kind === "Application" ? AUTOMATED : SUSPEND;
}

/** `spec.suspend: true`, for people. */
export function holdText(kind: GitOpsOwnerKind): string {
  const { path, during } = holdField(kind);
  return `${path.join(".")}: ${during}`;
}

/** What stands in the field now. */
export function foundIn(object: object, kind: GitOpsOwnerKind): FoundValue {
  const value = valueAt(object, holdField(kind).path);
  if (value === undefined || value === null) return "Absent";
  return value === true ? "True" : "False";
}

/** Whether the field says that the tool is stopped. */
export function isStopped(object: object, kind: GitOpsOwnerKind): boolean {
  return valueAt(object, holdField(kind).path) === holdField(kind).during;
}

export function setOperation(kind: GitOpsOwnerKind): JsonPatchOperation {
  const { path, during } = holdField(kind);
  return { op: "add", path: jsonPointer(...path), value: during };
}

/** Puts back what was found, to the letter. */
export function restoreOperation(kind: GitOpsOwnerKind, found: FoundValue): JsonPatchOperation {
  const path = jsonPointer(...holdField(kind).path);
  return found === "Absent" ? { op: "remove", path } : { op: "replace", path, value: found === "True" };
}

/** Follows names from object to object; undefined where one is missing. */
export function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined,
    object,
  );
}
