import type { Rollout } from "../../../kube/rollout-types.ts";
import type { Workload } from "../../../workloads/read-workload.ts";
import type { Revision } from "../../../workloads/revisions.ts";
import { isInRollbackWindow } from "../../../workloads/rollout-revisions.ts";
import { isCanaryUnderWay } from "./abort.ts";

/** How Argo Rollouts will go back: at once, or step by step as for a new version. Pure. */
export function rolloutWarnings(workload: Workload, to: Revision | undefined): readonly string[] {
  if (workload.kind !== "Rollout") return [];
  const { object, revisions } = workload;
  const stable = object.status?.stableRS;
  const underWay = isCanaryUnderWay(object)
    ? ["the update that is under way is aborted first, which takes the traffic from its pods"]
    : [];
  if (to !== undefined && to.podTemplateHash === stable) {
    return [...underWay, `revision ${to.revision} is the stable one: no steps, no analysis, no pause`];
  }
  if (to !== undefined && isInRollbackWindow(object, revisions, to)) {
    return [
      ...underWay,
      `revision ${to.revision} is within the rollbackWindow: steps and analysis are skipped`,
    ];
  }
  return [...underWay, ...slowWayWarnings(object)];
}

function slowWayWarnings({ metadata, spec }: Rollout): readonly string[] {
  const { canary, blueGreen } = spec.strategy ?? {};
  const promote = `"kubectl argo rollouts promote ${metadata.name} --full" skips what is left`;
  if (blueGreen !== undefined) {
    return blueGreen.autoPromotionEnabled === false
      ? [
          `autoPromotionEnabled is false: unless its old pods are still up, Argo Rollouts waits for a promotion before the Service gets them; ${promote}`,
        ]
      : [];
  }
  const steps = canary?.steps?.length ?? 0;
  const gates = [
    ...(steps === 0 ? [] : [`all ${steps} steps of the canary`]),
    ...(canary?.analysis === undefined ? [] : ["its analysis"]),
  ];
  return gates.length === 0
    ? []
    : [
        `outside a rollbackWindow Argo Rollouts goes through ${gates.join(" and ")} again, pauses included; ${promote}`,
      ];
}
