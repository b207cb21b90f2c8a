import { groupOf } from "../../kube/objects.ts";
import { WORKLOAD_TYPES } from "../../workloads/workload.ts";
import type { Action } from "../action.ts";
import { advanceWorkload } from "./advance.ts";
import { applyWorkload } from "./apply.ts";
import { observeWorkload } from "./observe.ts";
import { narrowWorkload, planWorkload, type WorkloadPlan } from "./plan.ts";
import type { WorkloadSpec } from "./resolve.ts";
import { reverseWorkload } from "./reverse.ts";
import { requiredRights } from "./rights.ts";

export type { WorkloadPlan } from "./plan.ts";
export type { WorkloadSpec } from "./resolve.ts";

export interface WorkloadOptions {
  /** How long image and configuration errors of the restored version are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

/** Puts a workload's pod template back to an earlier revision, or one of its images. */
export function workloadAction({ stuckAfterMs }: WorkloadOptions): Action<WorkloadSpec, WorkloadPlan> {
  return {
    kind: "workload",
    makesRelease: true,
    changesTemplate: true,
    objectOf: ({ kind, name }) => `${kind}/${name}`,
    requiredRights,
    lockKeys: ({ kind, name }, namespace) => [
      { group: groupOf(WORKLOAD_TYPES[kind]), kind, namespace, name },
    ],
    plan: planWorkload,
    narrow: narrowWorkload,
    apply: applyWorkload,
    observe: (plan, context) => observeWorkload(plan, context, stuckAfterMs()),
    advance: advanceWorkload,
    reverse: reverseWorkload,
  };
}
