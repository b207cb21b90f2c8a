import { REVISION_TYPES, WORKLOAD_TYPES } from "../../workloads/workload.ts";
import type { Action, Right } from "../action.ts";
import { applyRestart } from "./apply.ts";
import { observeRestart } from "./observe.ts";
import { narrowRestart, planRestart, type RestartPlan, type RestartSpec } from "./plan.ts";
import { reverseRestart } from "./reverse.ts";

export type { RestartPlan, RestartSpec } from "./plan.ts";

export interface RestartOptions {
  /** How long image and configuration errors of the new pods are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

/** Replaces all pods of a workload by fresh ones, as `kubectl rollout restart` does. */
export function restartAction({ stuckAfterMs }: RestartOptions): Action<RestartSpec, RestartPlan> {
  return {
    kind: "restart",
    makesRelease: false,
    changesTemplate: true,
    objectOf: ({ kind, name }) => `${kind}/${name}`,
    requiredRights,
    lockKeys: ({ kind, name }, namespace) => [{ group: "apps", kind, namespace, name }],
    plan: planRestart,
    narrow: narrowRestart,
    apply: applyRestart,
    observe: (plan, context) => observeRestart(plan, context, stuckAfterMs()),
    reverse: reverseRestart,
  };
}

function requiredRights({ kind, name }: RestartSpec): readonly Right[] {
  const { plural } = WORKLOAD_TYPES[kind];
  return [
    { apiGroup: "apps", resource: plural, verb: "get", name },
    { apiGroup: "apps", resource: plural, verb: "patch", name },
    { apiGroup: "apps", resource: REVISION_TYPES[kind].plural, verb: "list" },
    { apiGroup: "", resource: "pods", verb: "list" },
  ];
}
