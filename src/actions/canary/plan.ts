import type { RouteState } from "../../crds/canary-step.ts";
import { destinationText } from "../../crds/canary-step.ts";
import type { Move } from "../../traffic/route-kind.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { digestOf } from "../digest.ts";
import { superseded } from "../results.ts";
import { boundedWarnings } from "../warnings.ts";
import { routeOf, type CanaryPlan, type CanarySpec } from "./canary-plan.ts";
import { routeTitle } from "../../traffic/route-kinds.ts";
import { planRoutes, stablePorts, type PlannedRoute, type RouteFindings } from "./plan-routes.ts";
import { planWorkload, type WorkloadFindings } from "./plan-workload.ts";
import { refused, type Refusal } from "./refusal.ts";
import { checkStable, type StableFindings } from "./stable-preflight.ts";
import { pausedReplicas } from "./workload-parts.ts";

/** What the schema allows for the paths of a plan. */
const MOST_PATHS = 64;

/** Looks at all routes, at both sides of the traffic, and tries without storing; changes nothing. */
export async function planCanary(
  stepName: string,
  spec: CanarySpec,
  context: PlanContext,
): Promise<PlanResult<CanaryPlan>> {
  const { namespace } = context;
  const move: Move = { canary: spec.canary, stable: spec.stable, namespace };
  const [routes, workload] = await Promise.all([
    planRoutes(spec, move, context),
    planWorkload(spec, context),
  ]);
  const refusal = routes.refusal ?? workload.refusal;
  if (refusal !== undefined) return refusal;
  const replicas = workload.target?.replicas ?? 0;
  const isMoved = routes.routes.every(({ change }) => change === undefined);
  const where = `no route of namespace ${namespace} sends anything to ${destinationText(spec.canary)}`;
  if (isMoved && replicas === 0) return { kind: "NothingToDo", message: where };
  if (!routes.isNamed) return notRouted(spec, where, routes);
  const stable = await checkStable(move, stablePorts(routes.routes, move), replicas, context);
  const wrong = stable.refusal ?? sameWorkload(spec, stable, workload);
  if (wrong !== undefined) return wrong;
  const plan = toPlan(stepName, spec, { routes, workload, stable }, context);
  return changedSinceAccepted(plan, workload, context) ?? { kind: "Planned", plan };
}

/** A misspelt canary would lose its pods while requests are still sent to them. */
function notRouted({ scaleDown }: CanarySpec, where: string, { destinations }: RouteFindings): Refusal {
  return refused(
    "CanaryNotRouted",
    `${where}, only to ${destinations}: correct \`canary\`, or use a \`scale\` step for ${scaleDown?.kind}/${scaleDown?.name}`,
  );
}

/** The pods that are taken away must not be those that are to carry everything. */
function sameWorkload(
  { scaleDown, stable }: CanarySpec,
  { labels }: StableFindings,
  { target }: WorkloadFindings,
): Refusal | undefined {
  if (labels === undefined || target === undefined) return undefined;
  const template = target.workload.spec["template"] as {
    readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  };
  const own = template.metadata?.labels ?? {};
  if (!Object.entries(labels).every(([name, value]) => own[name] === value)) return undefined;
  return refused(
    "InvalidSteps",
    `the pods of ${scaleDown?.kind}/${scaleDown?.name}, which would be taken away, are those behind \`stable\` (${destinationText(stable)}): name the canary's workload as \`scaleDown\``,
  );
}

/** Only what was accepted may be undone: an autoscaler's number is nobody's change. */
function changedSinceAccepted(
  { object, from: live }: CanaryPlan,
  { isFloating }: WorkloadFindings,
  { from, earlier }: PlanContext,
): PlanResult<CanaryPlan> | undefined {
  if (earlier !== undefined) {
    return refused("InvalidSteps", `two steps take traffic from ${object}: put them into two requests`);
  }
  if (from?.traffic === undefined) return undefined;
  const text = (routes: readonly RouteState[]) => routes.map(({ uid, digest }) => `${uid} ${digest}`).join();
  if (text(from.traffic.routes) !== text(live.traffic.routes)) {
    return superseded(
      `the routes of ${object} were changed since this request was accepted: nothing was changed`,
    );
  }
  if (isFloating || from.replicas === live.replicas) return undefined;
  return superseded(
    `the canary went from ${from.replicas} to ${live.replicas} replicas since this request was accepted: nothing was changed`,
  );
}

interface AllFindings {
  readonly routes: RouteFindings;
  readonly workload: WorkloadFindings;
  readonly stable: StableFindings;
}

function toPlan(
  name: string,
  spec: CanarySpec,
  { routes, workload, stable }: AllFindings,
  { executorName: executor }: PlanContext,
): CanaryPlan {
  const { target, scaledObject, isFloating } = workload;
  const state = (digest: (route: PlannedRoute) => string) =>
    routes.routes.map((route) => ({
      object: route.title,
      uid: route.object.metadata.uid,
      digest: digest(route),
    }));
  const object = routeTitle(routeOf(spec));
  const objectUid = routes.routes[0]?.object.metadata.uid ?? "";
  const paused = scaledObject === undefined ? undefined : pausedReplicas(scaledObject);
  const identity = {
    action: "canary",
    object,
    objectUid,
    to: {
      traffic: { destination: spec.stable, routes: state(({ after }) => after) },
      ...(target === undefined ? {} : { replicas: 0 }),
      ...(scaledObject === undefined ? {} : { pausedReplicas: "0" }),
    },
    canary: {
      drain: spec.drain,
      ...(target === undefined
        ? {}
        : {
            workload: {
              object: `${target.kind}/${target.workload.metadata.name}`,
              uid: target.scale.metadata.uid,
            },
          }),
      ...(scaledObject === undefined
        ? {}
        : { scaledObject: { name: scaledObject.metadata.name, uid: scaledObject.metadata.uid } }),
    },
  };
  const traffic = { destination: spec.canary, routes: state(({ before }) => before) };
  const from = {
    traffic,
    ...(target === undefined ? {} : { replicas: target.replicas }),
    ...(paused === undefined ? {} : { pausedReplicas: paused }),
  };
  const { replicas: _, ...fixed } = from;
  return {
    name,
    digest: digestOf({ ...identity, executor, from: isFloating ? fixed : from }),
    ...identity,
    from,
    changes: changesOf(routes.routes, workload),
    warnings: boundedWarnings([...routes.warnings, ...workload.warnings, ...stable.warnings]),
  };
}

/** Paths of the named route by themselves, of other objects with their names. */
function changesOf(routes: readonly PlannedRoute[], { target, scaledObject }: WorkloadFindings): string[] {
  const rules = routes.flatMap(({ title, change }) =>
    (change?.rules ?? []).map(({ list, index }) => `${title} spec.${list}[${index}]`),
  );
  const isRunning = target !== undefined && target.replicas > 0;
  return [
    ...rules.slice(0, MOST_PATHS - 2),
    ...(scaledObject === undefined
      ? []
      : [`ScaledObject/${scaledObject.metadata.name} metadata.annotations`]),
    ...(isRunning ? [`${target.kind}/${target.workload.metadata.name} spec.replicas`] : []),
  ];
}
