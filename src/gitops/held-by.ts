import { OWNER_ANNOTATIONS } from "../crds/annotations.ts";
import { FoundValue } from "../crds/gitops-hold.ts";
import type { KubeObject } from "../kube/objects.ts";
import { jsonPointer, type JsonPatchOperation } from "../kube/patch.ts";

/** Who asks for the holds. */
export interface Holder {
  /** Request, as namespace/name. */
  readonly request: string;
  /** Policy whose guards say Hold, as namespace/name: the owner consents to it. */
  readonly policy: string;
}

/** Who stops a tool's object, as the object itself says: whoever finds it stopped reads there why. */
export interface HeldBy {
  readonly found: FoundValue;
  /** Requests, as namespace/name; the last of them puts back what was found. */
  readonly by: readonly string[];
}

/** Undefined where nobody of ours holds it, also where the annotation is not ours to read. */
export function heldBy({ metadata }: Pick<KubeObject, "metadata">): HeldBy | undefined {
  const text = metadata.annotations?.[OWNER_ANNOTATIONS.held];
  if (text === undefined) return undefined;
  try {
    const { found, by } = JSON.parse(text) as Partial<HeldBy>;
    const known = FoundValue.safeParse(found);
    const names = Array.isArray(by) ? by.filter((name) => typeof name === "string") : [];
    return known.success && names.length > 0 ? { found: known.data, by: names } : undefined;
  } catch {
    return undefined;
  }
}

export function isHeldBy(object: Pick<KubeObject, "metadata">, request: string): boolean {
  return heldBy(object)?.by.includes(request) === true;
}

/** Writes down who holds it; the object has annotations, since its consent is one. */
export function heldByOperation({ found, by }: HeldBy): JsonPatchOperation {
  return { op: "add", path: HELD_PATH, value: JSON.stringify({ found, by }) };
}

export const HELD_PATH = jsonPointer("metadata", "annotations", OWNER_ANNOTATIONS.held);

/** Whether the object's owner lets this policy stop it. `policy` is namespace/name. */
export function consents({ metadata }: Pick<KubeObject, "metadata">, policy: string): boolean {
  const text = metadata.annotations?.[OWNER_ANNOTATIONS.consent] ?? "";
  return text
    .split(",")
    .map((each) => each.trim())
    .includes(policy);
}
