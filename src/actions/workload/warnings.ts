import type { PodTemplateSpec } from "../../kube/well-known.ts";
import { containersOf, imageOfContainer, isMovable } from "../../workloads/containers.ts";
import { hasReplicaSets, isOnDelete, partitionOf, type LiveWorkload } from "../../workloads/workload.ts";

/** Images, init containers' too, that both ends name alike although the name may mean other bits by now. */
export function imageWarnings(live: PodTemplateSpec, to: PodTemplateSpec): readonly string[] {
  const containers = containersOf(to);
  return containers.flatMap(({ name, image = "" }) => {
    if (imageOfContainer(live, name) !== image || !isMovable(image)) return [];
    const of = containers.length > 1 ? ` of container ${name}` : "";
    return [
      `image ${image}${of} is the same in both revisions and its tag can be moved: the same bits may run`,
    ];
  });
}

/** Which pods will not get the restored template by the rollout itself. */
export function strategyWarnings(workload: LiveWorkload): readonly string[] {
  if (hasReplicaSets(workload)) return [];
  if (isOnDelete(workload.object.spec)) {
    return [
      "updateStrategy OnDelete: pods of other revisions are evicted one by one, as disruption budgets allow",
    ];
  }
  if (workload.kind !== "StatefulSet") return [];
  const partition = partitionOf(workload.object);
  return partition === 0
    ? []
    : [`partition ${partition}: the ${partition} pods of the lowest ordinals keep the revision they have`];
}
