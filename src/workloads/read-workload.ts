import type { KubeClient } from "../kube/client.ts";
import { deploymentType, replicaSetType, type Deployment, type LabelSelector } from "../kube/well-known.ts";
import { revisionsOf, type Revision } from "./revisions.ts";

export interface Workload {
  readonly deployment: Deployment;
  /** Newest first. */
  readonly revisions: readonly Revision[];
}

/** The Deployment and its revisions as they are now, read as the executor; undefined when it does not exist. */
export async function readWorkload(
  executor: KubeClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
  knownSelector?: string,
): Promise<Workload | undefined> {
  const list = (labelSelector: string) => executor.list(replicaSetType, { namespace, labelSelector, signal });
  // A Deployment's selector is immutable: where it is known, both can be asked for at once.
  const [deployment, early] = await Promise.all([
    executor.tryGet(deploymentType, { namespace, name }, { signal }),
    knownSelector === undefined ? undefined : list(knownSelector),
  ]);
  if (deployment === undefined) return undefined;
  const selector = selectorText(deployment.spec.selector);
  // A successor of the same name may have another one.
  const { items } = early !== undefined && selector === knownSelector ? early : await list(selector);
  return { deployment, revisions: revisionsOf(deployment, items) };
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
