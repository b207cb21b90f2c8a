import { GROUP } from "../crds/common.ts";
import type { NewObject } from "../kube/objects.ts";
import type { ConfigMap } from "../kube/well-known.ts";
import { contentDigest, contentOf, membersOf, type Content } from "./content.ts";

/** On a ConfigMap: `"false"` keeps the operator from making snapshots of it on its own. */
export const SNAPSHOT_ANNOTATION = `${GROUP}/snapshot`;
/** On a record of ours: what it is about; labels are too short for some names. */
export const RECORD_OF = `${GROUP}/record-of`;
/** On a record of ours: which kind it is, as a label and so to be listed. */
export const RECORD_LABEL = `${GROUP}/record`;
export const SNAPSHOT_RECORD = "config-map-snapshot";
const DIGEST = `${GROUP}/content-digest`;

/** A name has 253 characters at most. */
const LONGEST_STEM = 200;

/** What a snapshot is about: a whole ConfigMap by its name, or one key of it as `name/key`. */
export function subjectOf(name: string, key?: string): string {
  return key === undefined ? name : `${name}/${key}`;
}

/** Name of the ConfigMap that holds this content: the same for the same content, so that it is stored once. */
export function snapshotName(subject: string, digest: string): string {
  return `${stemOf(subject)}-snapshot-${digest}`;
}

/** The name of the ConfigMap, or its beginning, such that a dash may follow. */
export function stemOf(subject: string): string {
  const [name = ""] = subject.split("/");
  return name.slice(0, LONGEST_STEM).replace(/[-.]+$/, "");
}

/** Labels of what we keep in a namespace for ourselves. */
export function recordLabels(record: string): Readonly<Record<string, string>> {
  return { "app.kubernetes.io/managed-by": "rollback-operator", [RECORD_LABEL]: record };
}

/** A plain immutable copy: it always fits where its original did, and people can read it. */
export function newSnapshot(namespace: string, subject: string, content: Content): NewObject<ConfigMap> {
  const digest = contentDigest(subject, content);
  return {
    metadata: {
      namespace,
      name: snapshotName(subject, digest),
      labels: recordLabels(SNAPSHOT_RECORD),
      annotations: { [RECORD_OF]: subject, [DIGEST]: digest },
    },
    immutable: true,
    ...membersOf(content),
  };
}

export interface Snapshot {
  /** What it is a snapshot of: a whole ConfigMap, or `name/key`. */
  readonly subject: string;
  readonly digest: string;
  readonly content: Content;
}

/** What a stored snapshot holds, checked by hash; undefined when it is none, or not what it says. */
export function parseSnapshot(object: ConfigMap): Snapshot | undefined {
  const { labels = {}, annotations = {} } = object.metadata;
  const subject = annotations[RECORD_OF];
  if (subject === undefined || labels[RECORD_LABEL] !== SNAPSHOT_RECORD) return undefined;
  const content = contentOf(object);
  const digest = contentDigest(subject, content);
  return annotations[DIGEST] === digest ? { subject, digest, content } : undefined;
}
