import type { WorkloadKind } from "../crds/common.ts";
import type { KubeClient } from "../kube/client.ts";
import type { LabelSelector, ReplicaSet } from "../kube/well-known.ts";
import type { ControllerRevision } from "../kube/workload-types.ts";
import { controllerRevisionsOf } from "./controller-revisions.ts";
import { revisionsOf, type Revision } from "./revisions.ts";
import { rolloutRevisionsOf } from "./rollout-revisions.ts";
import {
  asWorkload,
  REVISION_TYPES,
  WORKLOAD_TYPES,
  type LiveWorkload,
  type WorkloadKey,
} from "./workload.ts";

export type Workload = LiveWorkload & {
  /** Newest first. */
  readonly revisions: readonly Revision[];
};

/**
 * The workload and all its revisions as they are now, read as the executor; undefined when it does not exist. With
 * `mayBeBehind` the revisions are those of the API server's watch cache, which may lag: confirm what matters.
 */
export async function readWorkload(
  executor: KubeClient,
  key: WorkloadKey,
  signal: AbortSignal,
  mayBeBehind = false,
): Promise<Workload | undefined> {
  const live = await readLiveWorkload(executor, key, signal);
  if (live === undefined) return undefined;
  // Without one, as a Rollout with a workloadRef has it, the owner alone tells.
  const labelSelector = selectorText(live.object.spec.selector ?? {});
  const { namespace } = key;
  const { items } = await executor.list(REVISION_TYPES[key.kind], {
    namespace,
    labelSelector,
    signal,
    mayBeBehind,
  });
  return withHistory(live, items);
}

/**
 * The same with only the revisions of these names. A GET is answered by etcd at once; a consistent LIST waits until
 * the API server's watch cache has caught up with writes to anything, up to 100 ms.
 */
export async function readRevisions(
  executor: KubeClient,
  key: WorkloadKey,
  revisionNames: readonly string[],
  signal: AbortSignal,
): Promise<Workload | undefined> {
  const { kind, namespace } = key;
  const [live, found] = await Promise.all([
    readLiveWorkload(executor, key, signal),
    getRevisions(executor, kind, namespace, revisionNames, signal),
  ]);
  return live === undefined ? undefined : withHistory(live, found);
}

async function getRevisions(
  executor: KubeClient,
  kind: WorkloadKind,
  namespace: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly (ReplicaSet | ControllerRevision)[]> {
  const found = await Promise.all(
    names.map((name) => executor.tryGet(REVISION_TYPES[kind], { namespace, name }, { signal })),
  );
  return found.filter((each) => each !== undefined);
}

/** The workload as it was read before, with the revisions of these names as they are now. Throws KubeError. */
export async function withRevisionsOfNow(
  executor: KubeClient,
  live: LiveWorkload,
  revisionNames: readonly string[],
  signal: AbortSignal,
): Promise<Workload> {
  const { namespace = "" } = live.object.metadata;
  return withHistory(live, await getRevisions(executor, live.kind, namespace, revisionNames, signal));
}

/** The workload as it is now, without its history; undefined when it does not exist. Throws KubeError. */
export async function readLiveWorkload(
  executor: KubeClient,
  { kind, namespace, name }: WorkloadKey,
  signal: AbortSignal,
): Promise<LiveWorkload | undefined> {
  const object = await executor.tryGet(WORKLOAD_TYPES[kind], { namespace, name }, { signal });
  return object === undefined ? undefined : asWorkload(kind, object);
}

function withHistory(live: LiveWorkload, objects: readonly (ReplicaSet | ControllerRevision)[]): Workload {
  if (live.kind === "Deployment") {
    return { ...live, revisions: revisionsOf(live.object, objects as readonly ReplicaSet[]) };
  }
  if (live.kind === "Rollout") {
    return { ...live, revisions: rolloutRevisionsOf(live.object, objects as readonly ReplicaSet[]) };
  }
  const revisions = controllerRevisionsOf(live.kind, live.object, objects as readonly ControllerRevision[]);
  return { ...live, revisions };
}

/** A LabelSelector in the form of a query parameter. */
export function selectorText(selector: LabelSelector): string {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    switch (operator) {
      case "In":
        return `${key} in (${values.join(",")})`;
      case "NotIn":
        return `${key} notin (${values.join(",")})`;
      case "Exists":
        return key;
      case "DoesNotExist":
        return `!${key}`;
      default:
        throw new TypeError(`unknown operator ${operator} in a label selector`);
    }
  });
  return [...labels, ...expressions].join(",");
}
