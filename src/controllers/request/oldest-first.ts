import type { KubeObject } from "../../kube/objects.ts";

/** Of several policies on one target the oldest owns it. */
export function oldestFirst<T extends KubeObject>(objects: readonly T[]): readonly T[] {
  return objects.toSorted(
    (a, b) => Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp),
  );
}
