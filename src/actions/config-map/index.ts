import type { Action, Right } from "../action.ts";
import { configMapTitle } from "../config-map-title.ts";
import { CONSUMER_RIGHTS } from "../consumer-restarts.ts";
import { advanceConsumers } from "../observe-restarts.ts";
import { applyConfigMap } from "./apply.ts";
import { observeConfigMap } from "./observe.ts";
import { narrowConfigMap, planConfigMap, type ConfigMapPlan, type ConfigMapSpec } from "./plan.ts";
import { reverseConfigMap } from "./reverse.ts";

export type { ConfigMapPlan, ConfigMapSpec } from "./plan.ts";

export interface ConfigMapOptions {
  /** How long image and configuration errors of restarted pods are borne, milliseconds; may change. */
  readonly stuckAfterMs: () => number;
}

/** Puts the content of a ConfigMap back, and gives fresh pods to those that would not notice it. */
export function configMapAction({ stuckAfterMs }: ConfigMapOptions): Action<ConfigMapSpec, ConfigMapPlan> {
  return {
    kind: "configMap",
    makesRelease: false,
    changesTemplate: false,
    objectOf: ({ name }) => configMapTitle(name),
    requiredRights,
    lockKeys: ({ name }, namespace) => [{ group: "", kind: "ConfigMap", namespace, name }],
    plan: planConfigMap,
    narrow: narrowConfigMap,
    apply: applyConfigMap,
    observe: (plan, context) => observeConfigMap(plan, context, stuckAfterMs()),
    advance: advanceConsumers,
    reverse: reverseConfigMap,
  };
}

function requiredRights({ name }: ConfigMapSpec): readonly Right[] {
  return [
    // Without a name for its snapshots: those are named after their content.
    { apiGroup: "", resource: "configmaps", verb: "get" },
    { apiGroup: "", resource: "configmaps", verb: "create" },
    { apiGroup: "", resource: "configmaps", verb: "patch", name },
    ...CONSUMER_RIGHTS,
  ];
}
