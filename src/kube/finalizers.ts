import type { KubeObject } from "./objects.ts";
import { mergePatch, type Patch } from "./patch.ts";

/**
 * Patch that adds a finalizer, undefined when it is there. Carries the resourceVersion, since a merge patch replaces
 * the whole list: another writer's change makes it fail with isConflict.
 */
export function addFinalizer(object: KubeObject, finalizer: string): Patch | undefined {
  const present = object.metadata.finalizers ?? [];
  return present.includes(finalizer) ? undefined : finalizersPatch(object, [...present, finalizer]);
}

/** Patch that removes a finalizer, undefined when it is not there. */
export function removeFinalizer(object: KubeObject, finalizer: string): Patch | undefined {
  const present = object.metadata.finalizers ?? [];
  if (!present.includes(finalizer)) return undefined;
  return finalizersPatch(
    object,
    present.filter((each) => each !== finalizer),
  );
}

/** Whether the object waits for its finalizers before it goes. */
export function isBeingDeleted(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

function finalizersPatch(object: KubeObject, finalizers: readonly string[]): Patch {
  const { resourceVersion, uid } = object.metadata;
  return mergePatch({ metadata: { uid, resourceVersion, finalizers } });
}
