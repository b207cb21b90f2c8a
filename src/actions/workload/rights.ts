import type { WorkloadKind } from "../../crds/common.ts";
import { REVISION_TYPES, WORKLOAD_TYPES } from "../../workloads/workload.ts";
import type { Right, StepRight } from "../action.ts";
import type { WorkloadSpec } from "./resolve.ts";

/** What `advance` may have to do to pods, by kind: who only rolls Deployments back needs none of it. */
const POD_RIGHTS: Readonly<Record<WorkloadKind, readonly Right[]>> = {
  Deployment: [],
  StatefulSet: [
    { apiGroup: "", resource: "pods", verb: "delete" },
    { apiGroup: "", resource: "pods/eviction", verb: "create" },
  ],
  DaemonSet: [{ apiGroup: "", resource: "pods/eviction", verb: "create" }],
};

export function requiredRights({ kind, name }: Pick<WorkloadSpec, "kind" | "name">): readonly StepRight[] {
  const { plural } = WORKLOAD_TYPES[kind];
  const history = REVISION_TYPES[kind].plural;
  return [
    { apiGroup: "apps", resource: plural, verb: "get", name, usedByPlan: true },
    { apiGroup: "apps", resource: plural, verb: "patch", name, usedByPlan: true },
    { apiGroup: "apps", resource: history, verb: "get", usedByPlan: true },
    { apiGroup: "apps", resource: history, verb: "list", usedByPlan: true },
    { apiGroup: "", resource: "pods", verb: "list" },
    ...POD_RIGHTS[kind],
  ];
}
