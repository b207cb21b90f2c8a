import type { NewObjectMeta, ResourceType } from "./objects.ts";

/** One operation of RFC 6902. A failed `test` makes the server answer 422. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "move" | "copy"; readonly from: string; readonly path: string };

/** What a server-side apply sends: the fields that the field manager wants to own. */
export interface ApplyObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: NewObjectMeta & { readonly uid?: string; readonly resourceVersion?: string };
  readonly [field: string]: unknown;
}

/** A change to an object. */
export type Patch =
  | { readonly kind: "json"; readonly operations: readonly JsonPatchOperation[] }
  | { readonly kind: "merge"; readonly value: Readonly<Record<string, unknown>> }
  | { readonly kind: "apply"; readonly object: ApplyObject };

/** JSON patch that first asserts parts of the object, then changes it. */
export function jsonPatch(...operations: readonly JsonPatchOperation[]): Patch {
  return { kind: "json", operations };
}

/** JSON merge patch: null removes a field, lists are replaced whole. */
export function mergePatch(value: Readonly<Record<string, unknown>>): Patch {
  return { kind: "merge", value };
}

/** Server-side apply. */
export function applyPatch(object: ApplyObject): Patch {
  return { kind: "apply", object };
}

/** A JSON pointer (RFC 6901) of raw segments: `~` and `/` in label names are escaped. */
export function jsonPointer(...segments: readonly (string | number)[]): string {
  return segments
    .map((segment) => `/${String(segment).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}

/** Content type and body of a patch on the wire. */
export function patchBody(
  type: Pick<ResourceType, "apiVersion" | "kind">,
  patch: Patch,
): { readonly contentType: string; readonly body: unknown } {
  switch (patch.kind) {
    case "json":
      return { contentType: "application/json-patch+json", body: patch.operations };
    case "merge":
      return { contentType: "application/merge-patch+json", body: patch.value };
    case "apply": {
      const { apiVersion, kind } = type;
      // JSON is YAML, which is what this content type names.
      return { contentType: "application/apply-patch+yaml", body: { ...patch.object, apiVersion, kind } };
    }
    default:
      return patch satisfies never;
  }
}
