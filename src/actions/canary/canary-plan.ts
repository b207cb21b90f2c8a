import type { CanaryPlan as CanaryMeans, CanaryStep, Traffic } from "../../crds/canary-step.ts";
import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import type { RouteName } from "../../traffic/route-kinds.ts";

export type CanarySpec = CanaryStep;

export type CanaryEnd = StepEnd & { readonly traffic: Traffic };

/** A plan of this action always knows the routes before and after. */
export type CanaryPlan = Omit<PlannedStep, "objectUid" | "from" | "to" | "canary"> & {
  readonly objectUid: string;
  readonly from: CanaryEnd;
  readonly to: CanaryEnd;
  readonly canary: CanaryMeans;
};

/** The route that the step is named after. Throws TypeError for a spec that the schema does not let through. */
export function routeOf({ virtualService, httpRoute, grpcRoute }: CanarySpec): RouteName {
  if (virtualService !== undefined) return { kind: "VirtualService", name: virtualService };
  if (httpRoute !== undefined) return { kind: "HTTPRoute", name: httpRoute };
  if (grpcRoute !== undefined) return { kind: "GRPCRoute", name: grpcRoute };
  throw new TypeError("a canary step names no route");
}

/** A stored plan with the same routes at both ends, and both numbers where there is a workload. */
export function narrowCanary(planned: PlannedStep): CanaryPlan | undefined {
  const { objectUid, canary } = planned;
  const [from, to] = [endOf(planned.from), endOf(planned.to)];
  if (objectUid === undefined || canary === undefined || from === undefined || to === undefined) {
    return undefined;
  }
  const names = (end: CanaryEnd) => end.traffic.routes.map(({ object, uid }) => `${object} ${uid}`).join();
  if (names(from) !== names(to)) return undefined;
  const hasNumbers = from.replicas !== undefined && to.replicas !== undefined;
  if (canary.workload !== undefined && !hasNumbers) return undefined;
  return { ...planned, objectUid, from, to, canary };
}

function endOf(end: StepEnd | undefined): CanaryEnd | undefined {
  const traffic = end?.traffic;
  return traffic === undefined ? undefined : { ...end, traffic };
}

/** The way back of a step that took pods away: these must be there again before requests are sent to them. */
export function bringsPodsBack({ from, to }: Pick<CanaryPlan, "from" | "to">): boolean {
  return (to.replicas ?? 0) > (from.replicas ?? 0);
}
