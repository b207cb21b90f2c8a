import type { KubeObject } from "../kube/objects.ts";
import type { PodTemplateSpec } from "../kube/well-known.ts";

/** Label by which Argo Rollouts tells the pods of one ReplicaSet. */
export const ROLLOUT_HASH_LABEL = "rollouts-pod-template-hash";

/** What the controller has put on the pods of a ReplicaSet for as long as they are canary, stable, active or preview. */
const EPHEMERAL_METADATA = "rollout.argoproj.io/ephemeral-metadata";

interface Metadata {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * The template as a Rollout holds it, from one of its ReplicaSets: without what the controller adds there. What is left
 * finds that ReplicaSet again, also where `kubectl argo rollouts undo` would make a new one (ephemeral metadata).
 */
export function rolloutTemplate(replicaSet: KubeObject, template: PodTemplateSpec): PodTemplateSpec {
  const added = ephemeralMetadata(replicaSet);
  const { labels, annotations } = template.metadata ?? {};
  const { [ROLLOUT_HASH_LABEL]: _, ...ownLabels } = without(labels, added.labels);
  const ownAnnotations = without(annotations, added.annotations);
  const { annotations: __, ...metadata } = template.metadata ?? {};
  return {
    ...template,
    metadata: {
      ...metadata,
      labels: ownLabels,
      ...(Object.keys(ownAnnotations).length === 0 ? {} : { annotations: ownAnnotations }),
    },
  };
}

/** Unreadable means that nothing is taken away: then the controller makes a new ReplicaSet of it. */
function ephemeralMetadata({ metadata }: KubeObject): Metadata {
  try {
    return JSON.parse(metadata.annotations?.[EPHEMERAL_METADATA] ?? "{}") as Metadata;
  } catch {
    return {};
  }
}

function without(
  all: Readonly<Record<string, string>> = {},
  added: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(all).filter(([key, value]) => added[key] !== value));
}

/**
 * Whether `stored`, which the API server has completed with defaults, has all that `written` says. It does not see what
 * `written` lacks: ask only where something else tells that they belong together.
 */
export function isCompletionOf(stored: unknown, written: unknown): boolean {
  if (isEmpty(written)) return true;
  if (written === false || written === 0) return stored === undefined || stored === written;
  if (Array.isArray(written)) {
    return (
      Array.isArray(stored) &&
      stored.length === written.length &&
      written.every((each, index) => isCompletionOf(stored[index], each))
    );
  }
  if (typeof written !== "object" || written === null) return stored === written;
  if (typeof stored !== "object" || stored === null || Array.isArray(stored)) return false;
  const members = stored as Readonly<Record<string, unknown>>;
  return Object.entries(written).every(([key, value]) => isCompletionOf(members[key], value));
}

/** Says nothing: the API server leaves it out, or fills in its default. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
