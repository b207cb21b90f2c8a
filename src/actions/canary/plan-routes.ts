import { destinationText } from "../../crds/canary-step.ts";
import { isWithin, mayReach } from "../../traffic/destination.ts";
import { ruleLists, sendingsOf, withRules } from "../../traffic/rewrite.ts";
import { ROUTE_KINDS, routeTitle } from "../../traffic/route-kinds.ts";
import type { Move } from "../../traffic/route-kind.ts";
import { ownershipOf } from "../../workloads/ownership.ts";
import type { PlanContext } from "../action.ts";
import { routeOf, type CanarySpec } from "./canary-plan.ts";
import {
  blindRoutes,
  destinationsText,
  findRoutes,
  foreignDelegates,
  namesRole,
  type FoundRoute,
} from "./find-routes.ts";
import { isTooLong } from "./former-rules.ts";
import { rehearsed } from "./rehearsed.ts";
import { refused, type Findings, type Refusal } from "./refusal.ts";
import { moveChange, routeDigest, sendRoute, type RouteChange } from "./route-change.ts";

/** What the schema allows for the routes of a plan. */
const MOST_ROUTES = 64;

/** A route of the plan: the named one first, then all others that send to the canary. */
export interface PlannedRoute extends FoundRoute {
  /** Undefined for the named one when nothing of it reaches the canary. */
  readonly change: RouteChange | undefined;
  readonly before: string;
  /** As the API server would store it. */
  readonly after: string;
}

export interface RouteFindings extends Findings {
  readonly routes: readonly PlannedRoute[];
  /** Whether any route names the canary, if only with weight 0. */
  readonly isNamed: boolean;
  /** Every place that the routes of the namespace send to, for people. */
  readonly destinations: string;
}

/** Which routes must change and to what; tries without storing. Throws KubeError. */
export async function planRoutes(spec: CanarySpec, move: Move, context: PlanContext): Promise<RouteFindings> {
  const title = routeTitle(routeOf(spec));
  const found = await findRoutes(move, context);
  const movable = found.routes.filter(({ canMove }) => canMove);
  const named = found.routes.find((route) => route.title === title);
  const nothing = {
    routes: [],
    isNamed: namesRole(movable, "canary", move),
    destinations: destinationsText(movable, move.namespace),
    warnings: found.warnings,
  };
  const unusable = unusableRefusal(title, named, move);
  if (unusable !== undefined || named === undefined) return { ...nothing, refusal: unusable };
  const at = new Date(context.now).toISOString();
  const routes = [named, ...movable.filter((route) => route !== named)]
    .map((route) => plannedRoute(route, move, at))
    .filter(({ change }, index) => index === 0 || change !== undefined);
  const delegates = await foreignDelegates(found.routes, move, context);
  const findings = {
    ...nothing,
    routes,
    warnings: [
      ...found.warnings,
      ...delegates.warnings,
      ...blindRoutes(found.routes, move),
      ...routes.slice(1).map((route) => `${route.title} sends to the canary as well, and is changed too`),
    ],
  };
  if (routes.every(({ change }) => change === undefined)) return { ...findings, refusal: delegates.refusal };
  const refusal = delegates.refusal ?? rulesRefusal(routes, move);
  if (refusal !== undefined) return { ...findings, refusal };
  const tried = await Promise.all(routes.map((route) => tryRoute(route, context)));
  return {
    ...findings,
    routes: routes.map((route, index) => ({ ...route, after: tried[index]?.after ?? route.after })),
    refusal: tried.find((each) => each.refusal !== undefined)?.refusal,
    warnings: [...findings.warnings, ...tried.flatMap(({ warnings }) => warnings)],
  };
}

/** Ports that the stable destination is asked for after the change; of each, once. */
export function stablePorts(routes: readonly PlannedRoute[], { stable, namespace }: Move): readonly number[] {
  const ports = routes.flatMap(({ kind, object, change }) => {
    const lists = withRules(ruleLists(ROUTE_KINDS[kind], object), change?.rules ?? []);
    return sendingsOf(ROUTE_KINDS[kind], lists, namespace)
      .filter(
        ({ destination, isServed, isMirror }) =>
          isServed && !isMirror && isWithin(destination, stable, namespace),
      )
      .flatMap(({ destination }) => (destination.port === undefined ? [] : [destination.port]));
  });
  return [...new Set(ports)];
}

function plannedRoute(route: FoundRoute, move: Move, at: string): PlannedRoute {
  const kind = ROUTE_KINDS[route.kind];
  const change = route.canMove ? moveChange(kind, route.object, move, at) : undefined;
  const digest = routeDigest(kind, route.object);
  return { ...route, change, before: digest, after: digest };
}

function unusableRefusal(title: string, named: FoundRoute | undefined, move: Move): Refusal | undefined {
  const { canary, stable, namespace } = move;
  if (mayReach(stable, canary, namespace)) {
    return refused(
      "InvalidSteps",
      `\`stable\` (${destinationText(stable)}) reaches the pods of \`canary\` (${destinationText(canary)}) too: name a subset, Service or port that tells them apart`,
    );
  }
  if (named === undefined || named.object.metadata.deletionTimestamp !== undefined) {
    return refused(
      "TargetNotFound",
      `${title} does not exist in namespace ${namespace}, or its kind is not installed`,
    );
  }
  if (named.canMove) return undefined;
  return refused(
    "InvalidSteps",
    `${title} can send to Services only: \`canary\` and \`stable\` must each be one, by its name or as NAME.NAMESPACE.svc.cluster.local`,
  );
}

/** Nobody but the routes themselves tells that `stable` is spelt right: requests must not go where none ever went. */
function rulesRefusal(routes: readonly PlannedRoute[], move: Move): Refusal | undefined {
  const { namespace, stable } = move;
  const [first] = routes;
  if (first !== undefined && !namesRole(routes, "stable", move)) {
    const others = routes.length === 1 ? first.title : `${first.title} and ${routes.length - 1} more`;
    return refused(
      "NoStableDestination",
      `${others} has no destination ${destinationText(stable)}, so nothing says that requests are served there: it sends to ${destinationsText(routes, namespace)}; name one of these as \`stable\`, or add it to the route with weight 0`,
    );
  }
  if (routes.length > MOST_ROUTES) {
    return refused("TooManyRoutes", `${routes.length} routes send to the canary, more than ${MOST_ROUTES}`);
  }
  const long = routes.find(({ change }) => change?.former !== undefined && isTooLong(change.former));
  if (long === undefined) return undefined;
  return refused(
    "TooLarge",
    `the rules of ${long.title} that would change are too long to be recorded on it, so there would be no way back: split it`,
  );
}

const MANAGED_BY_ROLLOUTS = "argo-rollouts.argoproj.io/managed-by-rollouts";

/**
 * Who else writes the route, whether the API server takes the change, and what it makes of it: defaults of the kind and
 * admission webhooks complete what is written.
 */
async function tryRoute(
  { kind, title, object, change }: PlannedRoute,
  context: PlanContext,
): Promise<Findings & { readonly after?: string }> {
  const { executor, signal } = context;
  if (change === undefined) return { warnings: [] };
  const rollout = object.metadata.annotations?.[MANAGED_BY_ROLLOUTS];
  if (rollout !== undefined) {
    const message = `${title} is managed by Argo Rollouts (${rollout}): abort the Rollout, which moves its traffic back`;
    return { refusal: refused("TargetOwned", message), warnings: [] };
  }
  const ownership = await ownershipOf({ kind, object }, context);
  if (ownership.kind === "Foreign") {
    return { refusal: refused("TargetOwned", `${title} is ${ownership.message}`), warnings: [] };
  }
  const result = await rehearsed(sendRoute(ROUTE_KINDS[kind], object, change, executor, signal, true), title);
  const { warnings } = ownership;
  return result.kind === "Refused"
    ? { refusal: result, warnings }
    : { after: routeDigest(ROUTE_KINDS[kind], result.answer), warnings };
}
