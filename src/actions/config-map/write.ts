import { membersOf, type Content } from "../../config-maps/content.ts";
import {
  forgetReplacement,
  readReplacement,
  recordReplacement,
  replacementOf,
  type Replacement,
} from "../../config-maps/replacement.ts";
import type { Place } from "../../config-maps/place.ts";
import { jsonPointer, type JsonPatchOperation } from "../../kube/patch.ts";
import { objectKey } from "../../kube/objects.ts";
import { configMapType, type ConfigMap } from "../../kube/well-known.ts";
import { FIELD_MANAGER } from "../../kube/field-manager.ts";

/**
 * Exactly this content instead of what was read. It tests the version, not the content: a ConfigMap has no status that
 * changes all the time, and so no value travels twice. Throws KubeError; 422 when the test failed.
 */
export function sendContent(
  map: ConfigMap,
  content: Content,
  place: Place,
  dryRun: boolean,
): Promise<ConfigMap> {
  const { uid, resourceVersion } = map.metadata;
  const members = membersOf(content);
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: uid },
    { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
    ...(["data", "binaryData"] as const).flatMap((member): readonly JsonPatchOperation[] => {
      const path = jsonPointer(member);
      if (members[member] !== undefined) return [{ op: "add", path, value: members[member] }];
      return map[member] === undefined ? [] : [{ op: "remove", path }];
    }),
  ];
  const { executor, signal } = place;
  return executor.patch(
    configMapType,
    objectKey(map),
    { kind: "json", operations },
    { signal, dryRun, fieldManager: FIELD_MANAGER },
  );
}

/**
 * Puts another ConfigMap in the place of an immutable one. The snapshot of its content and the record of its metadata are
 * stored before the old one goes, so whoever dies in between, the next try brings the new one. Throws KubeError.
 */
export async function replaceImmutable(
  map: ConfigMap,
  replacement: Replacement,
  content: Content,
  place: Place,
): Promise<void> {
  await recordReplacement(place, replacement, map);
  const { uid, resourceVersion } = map.metadata;
  const { executor, signal } = place;
  await executor.delete(configMapType, objectKey(map), { signal, preconditions: { uid, resourceVersion } });
  await finishReplacement(replacement, content, place);
}

/** The second half: the old one is gone. Throws KubeError, TypeError when nothing was written down. */
export async function finishReplacement(
  replacement: Replacement,
  content: Content,
  place: Place,
): Promise<void> {
  const metadata = await readReplacement(place, replacement);
  if (metadata === undefined) {
    throw new TypeError(`ConfigMap/${replacement.name}: how it was dressed was not written down`);
  }
  const { executor, namespace, signal } = place;
  const object = replacementOf(replacement, namespace, metadata, content);
  await executor.create(configMapType, object, { signal, fieldManager: FIELD_MANAGER });
  await forgetReplacement(place, replacement);
}
