import { groupOf } from "../../kube/objects.ts";
import { ROUTE_KINDS, routeTitle } from "../../traffic/route-kinds.ts";
import type { Action, TargetKey } from "../action.ts";
import { advanceCanary, applyCanary, observeCanary } from "./apply.ts";
import { narrowCanary, routeOf, type CanaryPlan, type CanarySpec } from "./canary-plan.ts";
import { planCanary } from "./plan.ts";
import { reverseCanary } from "./reverse.ts";
import { requiredRights } from "./rights.ts";

export type { CanaryPlan, CanarySpec } from "./canary-plan.ts";

/** Takes all traffic from a canary, lets its requests end, and takes its pods away. */
export const canaryAction: Action<CanarySpec, CanaryPlan> = {
  kind: "canary",
  makesRelease: false,
  changesTemplate: false,
  objectOf: (spec) => routeTitle(routeOf(spec)),
  requiredRights,
  lockKeys,
  plan: planCanary,
  narrow: narrowCanary,
  apply: applyCanary,
  observe: observeCanary,
  advance: advanceCanary,
  reverse: reverseCanary,
};

/** The named route and the canary's workload. Other routes are known by the plan only; their writes are guarded. */
function lockKeys(spec: CanarySpec, namespace: string): readonly TargetKey[] {
  const { kind, name } = routeOf(spec);
  const route = { group: groupOf(ROUTE_KINDS[kind].type), kind, namespace, name };
  const { scaleDown } = spec;
  return scaleDown === undefined ? [route] : [route, { group: "apps", namespace, ...scaleDown }];
}
