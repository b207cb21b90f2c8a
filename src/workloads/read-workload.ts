import type { KubeClient } from "../kube/client.ts";
import { deploymentType, replicaSetType, type Deployment, type LabelSelector } from "../kube/well-known.ts";
import { revisionsOf, type Revision } from "./revisions.ts";

export interface Workload {
  readonly deployment: Deployment;
  /** Newest first. */
  readonly revisions: readonly Revision[];
}

/**
 * The Deployment and all its revisions as they are now, read as the executor; undefined when it does not exist. With
 * `mayBeBehind` the revisions are those of the API server's watch cache, which may lag: confirm what matters.
 */
export async function readWorkload(
  executor: KubeClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
  mayBeBehind = false,
): Promise<Workload | undefined> {
  const deployment = await executor.tryGet(deploymentType, { namespace, name }, { signal });
  if (deployment === undefined) return undefined;
  const labelSelector = selectorText(deployment.spec.selector);
  const { items } = await executor.list(replicaSetType, { namespace, labelSelector, signal, mayBeBehind });
  return { deployment, revisions: revisionsOf(deployment, items) };
}

/**
 * The same with only the revisions of these names. A GET is answered by etcd at once; a consistent LIST waits until
 * the API server's watch cache has caught up with writes to anything, up to 100 ms.
 */
export async function readRevisions(
  executor: KubeClient,
  namespace: string,
  name: string,
  revisionNames: readonly string[],
  signal: AbortSignal,
): Promise<Workload | undefined> {
  const [deployment, ...sets] = await Promise.all([
    executor.tryGet(deploymentType, { namespace, name }, { signal }),
    ...revisionNames.map((each) => executor.tryGet(replicaSetType, { namespace, name: each }, { signal })),
  ]);
  if (deployment === undefined) return undefined;
  const found = sets.filter((set) => set !== undefined);
  return { deployment, revisions: revisionsOf(deployment, found) };
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
