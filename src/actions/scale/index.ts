import type { Action, Right } from "../action.ts";
import { rightsToMove } from "../live-value.ts";
import { applyScale } from "./apply.ts";
import { observeScale } from "./observe.ts";
import { narrowScale, planScale, type ScalePlan, type ScaleSpec } from "./plan.ts";
import { reverseScale } from "./reverse.ts";

export type { ScalePlan, ScaleSpec } from "./plan.ts";

export interface ScaleOptions {
  /** How long image and configuration errors of new pods are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

/** Sets the number of replicas of a Deployment or StatefulSet, through its subresource `scale`. */
export function scaleAction({ stuckAfterMs }: ScaleOptions): Action<ScaleSpec, ScalePlan> {
  return {
    kind: "scale",
    makesRelease: false,
    changesTemplate: false,
    objectOf: ({ kind, name }) => `${kind}/${name}`,
    requiredRights,
    lockKeys: ({ kind, name }, namespace) => [{ group: "apps", kind, namespace, name }],
    plan: planScale,
    narrow: narrowScale,
    apply: applyScale,
    observe: (plan, context) => observeScale(plan, context, stuckAfterMs()),
    reverse: reverseScale,
  };
}

function requiredRights({ kind, name }: ScaleSpec): readonly Right[] {
  return [
    ...rightsToMove({ change: "Replicas", object: `${kind}/${name}` }),
    ...(kind === "Deployment" ? [{ apiGroup: "apps", resource: "replicasets", verb: "list" }] : []),
    { apiGroup: "", resource: "pods", verb: "list" },
  ];
}
