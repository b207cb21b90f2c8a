import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { GROUP } from "../crds/common.ts";
import { isNotFound } from "../kube/errors.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";
import type { NewObject, NewObjectMeta } from "../kube/objects.ts";
import { configMapType, type ConfigMap } from "../kube/well-known.ts";
import { membersOf, type Content } from "./content.ts";
import type { Place } from "./place.ts";
import { RECORD_OF, recordLabels, stemOf } from "./snapshot.ts";

/** On a ConfigMap that took the place of an immutable one: the UID of that one. By it we know our own product. */
const REPLACES = `${GROUP}/replaces`;
export const REPLACEMENT_RECORD = "config-map-replacement";
const METADATA = "metadata.json";

/** One replacement of an immutable ConfigMap: told by what goes and what comes. */
export interface Replacement {
  readonly name: string;
  /** UID of the one that goes. */
  readonly uid: string;
  /** Digest of the content that comes; its snapshot is stored before anything goes. */
  readonly digest: string;
}

/** Whether the live ConfigMap is what came of a replacement of the one with this UID. */
export function isReplacementOf({ metadata }: ConfigMap, uid: string): boolean {
  return metadata.annotations?.[REPLACES] === uid;
}

/** The ConfigMap that is to come, with everything of the one that goes but its content. */
export function replacementOf(
  { name, uid }: Replacement,
  namespace: string,
  { labels, annotations, ownerReferences }: NewObjectMeta,
  content: Content,
): NewObject<ConfigMap> {
  return {
    metadata: {
      namespace,
      name,
      labels,
      annotations: { ...annotations, [REPLACES]: uid },
      ownerReferences,
    },
    immutable: true,
    ...membersOf(content),
  };
}

/** Writes down how the ConfigMap that goes is dressed; from then on it is ours to bring back. Throws KubeError. */
export async function recordReplacement(
  place: Place,
  replacement: Replacement,
  { metadata }: ConfigMap,
): Promise<void> {
  const { executor, namespace, signal } = place;
  const { labels, annotations, ownerReferences } = metadata;
  const wanted = JSON.parse(JSON.stringify({ labels, annotations, ownerReferences })) as NewObjectMeta;
  const stored = await readReplacement(place, replacement);
  if (isDeepStrictEqual(stored, wanted)) return;
  // Of an earlier try, before somebody changed a label: the ConfigMap itself is still there.
  if (stored !== undefined) await forgetReplacement(place, replacement);
  await executor.create(
    configMapType,
    {
      metadata: {
        namespace,
        name: recordName(replacement),
        labels: recordLabels(REPLACEMENT_RECORD),
        annotations: { [RECORD_OF]: replacement.name },
      },
      immutable: true,
      data: { [METADATA]: JSON.stringify(wanted) },
    },
    { signal, fieldManager: FIELD_MANAGER },
  );
}

/** How the ConfigMap that went was dressed; undefined when nothing was written down. Throws KubeError. */
export async function readReplacement(
  { executor, namespace, signal }: Place,
  replacement: Replacement,
): Promise<NewObjectMeta | undefined> {
  const key = { namespace, name: recordName(replacement) };
  const text = (await executor.tryGet(configMapType, key, { signal }))?.data?.[METADATA];
  return text === undefined ? undefined : (JSON.parse(text) as NewObjectMeta);
}

/** Once the new one is there, or will not come any more. Safe to repeat. Throws KubeError. */
export async function forgetReplacement(
  { executor, namespace, signal }: Place,
  replacement: Replacement,
): Promise<void> {
  const key = { namespace, name: recordName(replacement) };
  const stored = await executor.tryGet(configMapType, key, { signal });
  if (stored === undefined) return;
  const { uid } = stored.metadata;
  await executor.delete(configMapType, key, { signal, preconditions: { uid } }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

function recordName({ name, uid, digest }: Replacement): string {
  const hash = createHash("sha256").update(`${uid}/${digest}`).digest("hex").slice(0, 16);
  return `${stemOf(name)}-replacement-${hash}`;
}
