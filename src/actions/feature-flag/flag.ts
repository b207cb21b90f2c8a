import { contentDigest, contentOf, onlyKey, type Content } from "../../config-maps/content.ts";
import type { Place } from "../../config-maps/place.ts";
import { subjectOf } from "../../config-maps/snapshot.ts";
import { jsonPointer, type JsonPatchOperation } from "../../kube/patch.ts";
import { objectKey } from "../../kube/objects.ts";
import { configMapType, type ConfigMap } from "../../kube/well-known.ts";
import { FIELD_MANAGER } from "../../kube/field-manager.ts";

/** The one key of a ConfigMap as it is now. */
export interface LiveFlag {
  readonly map: ConfigMap;
  /** That key alone. */
  readonly content: Content;
  readonly digest: string;
}

/** Of a ConfigMap that is there; undefined where it has no such key with text. */
export function flagOf(map: ConfigMap, key: string): LiveFlag | undefined {
  const content = onlyKey(contentOf(map), key);
  return content && { map, content, digest: flagDigest(map.metadata.name, key, content) };
}

/** Throws KubeError. */
export function readMap(
  { executor, namespace, signal }: Place,
  name: string,
): Promise<ConfigMap | undefined> {
  return executor.tryGet(configMapType, { namespace, name }, { signal });
}

export function flagDigest(name: string, key: string, content: Content): string {
  return contentDigest(subjectOf(name, key), content);
}

/** Compares and sets that key alone: what others do to other keys is none of our business. Throws KubeError. */
export function sendFlag(
  { map, content }: LiveFlag,
  key: string,
  value: string,
  { executor, signal }: Place,
  dryRun: boolean,
): Promise<ConfigMap> {
  const path = jsonPointer("data", key);
  const operations: readonly JsonPatchOperation[] = [
    { op: "test", path: "/metadata/uid", value: map.metadata.uid },
    { op: "test", path, value: content.data[key] },
    { op: "replace", path, value },
  ];
  return executor.patch(
    configMapType,
    objectKey(map),
    { kind: "json", operations },
    { signal, dryRun, fieldManager: FIELD_MANAGER },
  );
}
