import { groupOf } from "../../kube/objects.ts";
import { ROUTE_KINDS } from "../../traffic/route-kinds.ts";
import type { Right } from "../action.ts";
import { rightsToMove } from "../live-value.ts";
import { routeOf, type CanarySpec } from "./canary-plan.ts";

/** All routes of the kind are looked at; which others than the named one must change is known by the plan only. */
export function requiredRights(spec: CanarySpec): readonly Right[] {
  const { kind, name } = routeOf(spec);
  const { type } = ROUTE_KINDS[kind];
  const route = { apiGroup: groupOf(type), resource: type.plural };
  return [
    { ...route, verb: "list" },
    { ...route, verb: "get", name },
    { ...route, verb: "patch", name },
    { apiGroup: "", resource: "pods", verb: "list" },
    ...(spec.scaleDown === undefined ? [] : scaleRights(spec.scaleDown)),
  ];
}

function scaleRights({ kind, name }: NonNullable<CanarySpec["scaleDown"]>): readonly Right[] {
  return [
    ...rightsToMove({ change: "Replicas", object: `${kind}/${name}` }),
    ...(kind === "Deployment" ? [{ apiGroup: "apps", resource: "replicasets", verb: "list" }] : []),
  ];
}
