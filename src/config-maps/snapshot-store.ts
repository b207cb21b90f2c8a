import { isAlreadyExists } from "../kube/errors.ts";
import { FIELD_MANAGER } from "../kube/field-manager.ts";
import { configMapType } from "../kube/well-known.ts";
import { contentDigest, type Content } from "./content.ts";
import type { Place } from "./place.ts";
import { newSnapshot, parseSnapshot, snapshotName, type Snapshot } from "./snapshot.ts";

/** Deleted, or made anew by somebody else with another content. */
export interface SnapshotGone {
  readonly kind: "Gone";
  readonly message: string;
}

/** The content of this subject with this digest. Throws KubeError. */
export async function readSnapshot(
  place: Place,
  subject: string,
  digest: string,
): Promise<{ readonly kind: "Found"; readonly content: Content } | SnapshotGone> {
  const name = snapshotName(subject, digest);
  const object = await place.executor.tryGet(configMapType, keyIn(place, name), { signal: place.signal });
  if (object === undefined) return gone(`snapshot ConfigMap/${name} does not exist`);
  const parsed = parseSnapshot(object);
  return parsed?.digest === digest && parsed.subject === subject
    ? { kind: "Found", content: parsed.content }
    : gone(`ConfigMap/${name} does not hold the content that its name says: somebody else made it`);
}

/** The snapshot that the ConfigMap of this name is; undefined when there is none or it is no snapshot. */
export async function readSnapshotNamed(place: Place, name: string): Promise<Snapshot | undefined> {
  const object = await place.executor.tryGet(configMapType, keyIn(place, name), { signal: place.signal });
  return object === undefined ? undefined : parseSnapshot(object);
}

/** Sees to it that this content is stored. Safe to repeat. Throws KubeError. */
export async function keepSnapshot(
  place: Place,
  subject: string,
  content: Content,
): Promise<{ readonly kind: "Kept" } | SnapshotGone> {
  const digest = contentDigest(subject, content);
  const found = await readSnapshot(place, subject, digest);
  if (found.kind === "Found") return { kind: "Kept" };
  try {
    const { executor, namespace, signal } = place;
    const object = newSnapshot(namespace, subject, content);
    await executor.create(configMapType, object, { signal, fieldManager: FIELD_MANAGER });
    return { kind: "Kept" };
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // Another leader was faster, or the name is taken.
    const stored = await readSnapshot(place, subject, digest);
    return stored.kind === "Found" ? { kind: "Kept" } : stored;
  }
}

/** Sees to it that all of these are stored, before any of them is written over. Throws KubeError; TypeError where one cannot be. */
export async function keepSnapshots(
  place: Place,
  subject: string,
  contents: readonly Content[],
): Promise<void> {
  for (const content of contents) {
    const kept = await keepSnapshot(place, subject, content);
    if (kept.kind === "Gone") throw new TypeError(`${kept.message}: delete it, then it is made anew`);
  }
}

function keyIn({ namespace }: Place, name: string) {
  return { namespace, name };
}

function gone(message: string): SnapshotGone {
  return { kind: "Gone", message };
}
