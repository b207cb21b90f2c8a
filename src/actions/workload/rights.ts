import type { WorkloadKind } from "../../crds/common.ts";
import { groupOf } from "../../kube/objects.ts";
import { REVISION_TYPES, WORKLOAD_TYPES } from "../../workloads/workload.ts";
import type { Right, StepRight } from "../action.ts";
import type { WorkloadSpec } from "./resolve.ts";

/** What has to be done besides the template, by kind: who only rolls Deployments back needs none of it. */
const MORE_RIGHTS: Readonly<Record<WorkloadKind, readonly Right[]>> = {
  Deployment: [],
  StatefulSet: [
    { apiGroup: "", resource: "pods", verb: "delete" },
    { apiGroup: "", resource: "pods/eviction", verb: "create" },
  ],
  DaemonSet: [{ apiGroup: "", resource: "pods/eviction", verb: "create" }],
  Rollout: [{ apiGroup: "argoproj.io", resource: "rollouts/status", verb: "patch" }],
};

export function requiredRights({ kind, name }: Pick<WorkloadSpec, "kind" | "name">): readonly StepRight[] {
  const { plural } = WORKLOAD_TYPES[kind];
  const apiGroup = groupOf(WORKLOAD_TYPES[kind]);
  const history = REVISION_TYPES[kind].plural;
  return [
    { apiGroup, resource: plural, verb: "get", name, usedByPlan: true },
    { apiGroup, resource: plural, verb: "patch", name, usedByPlan: true },
    { apiGroup: "apps", resource: history, verb: "get", usedByPlan: true },
    { apiGroup: "apps", resource: history, verb: "list", usedByPlan: true },
    { apiGroup: "", resource: "pods", verb: "list" },
    ...MORE_RIGHTS[kind],
  ];
}
