import type { Action, Right } from "../action.ts";
import { configMapTitle } from "../config-map-title.ts";
import { CONSUMER_RIGHTS } from "../consumer-restarts.ts";
import { advanceConsumers } from "../observe-restarts.ts";
import { applyFlag } from "./apply.ts";
import { observeFlag } from "./observe.ts";
import { narrowFlag, planFlag, type FlagPlan, type FlagSpec } from "./plan.ts";
import { reverseFlag } from "./reverse.ts";

export type { FlagPlan, FlagSpec } from "./plan.ts";

export interface FeatureFlagOptions {
  /** How long image and configuration errors of restarted pods are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

/** Sets one key of a ConfigMap, and gives fresh pods to those that would never notice it. */
export function featureFlagAction({ stuckAfterMs }: FeatureFlagOptions): Action<FlagSpec, FlagPlan> {
  return {
    kind: "featureFlag",
    makesRelease: false,
    changesTemplate: false,
    objectOf: ({ configMap }) => configMapTitle(configMap.name),
    requiredRights,
    lockKeys: ({ configMap: { name } }, namespace) => [{ group: "", kind: "ConfigMap", namespace, name }],
    plan: planFlag,
    narrow: narrowFlag,
    apply: applyFlag,
    observe: (plan, context) => observeFlag(plan, context, stuckAfterMs()),
    advance: advanceConsumers,
    reverse: reverseFlag,
  };
}

function requiredRights({ configMap: { name } }: FlagSpec): readonly Right[] {
  return [
    // Without a name for its snapshots: those are named after their content.
    { apiGroup: "", resource: "configmaps", verb: "get" },
    { apiGroup: "", resource: "configmaps", verb: "create" },
    { apiGroup: "", resource: "configmaps", verb: "patch", name },
    ...CONSUMER_RIGHTS,
  ];
}
