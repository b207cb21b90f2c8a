import { podType, serviceType } from "../kube/well-known.ts";
import { selectorText } from "../workloads/read-workload.ts";
import { selects } from "./selects.ts";
import type { Acting } from "./live-value.ts";
import { ownership, templateOf, type ScaleTarget } from "./scale-target.ts";

/**
 * Names of Services, other than `except`, whose pods are all of this workload: without it they would have none. Throws
 * KubeError.
 */
export async function servicesOnlyOn(
  workload: ScaleTarget,
  except: string,
  { executor, namespace, signal }: Acting,
): Promise<readonly string[]> {
  const labels = templateOf(workload).metadata?.labels;
  const services = await executor.list(serviceType, { namespace, signal });
  const candidates = services.items.filter(
    ({ metadata, spec }) => metadata.name !== except && selects(spec.selector ?? {}, labels),
  );
  const names = candidates.map(async ({ metadata, spec }) => {
    const labelSelector = selectorText({ matchLabels: spec.selector ?? {} });
    const pods = await executor.list(podType, { namespace, labelSelector, signal });
    const isOwn = await ownership(workload, executor, signal);
    return pods.items.length > 0 && pods.items.every(isOwn) ? [metadata.name] : [];
  });
  return (await Promise.all(names)).flat();
}
