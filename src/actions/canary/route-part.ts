import type { RouteState } from "../../crds/canary-step.ts";
import { parseRouteTitle, ROUTE_KINDS } from "../../traffic/route-kinds.ts";
import type { RouteObject } from "../../traffic/route-kind.ts";
import type { ApplyContext } from "../action.ts";
import type { CanaryPlan } from "./canary-plan.ts";
import { readFormerRules } from "./former-rules.ts";
import type { Part } from "./part.ts";
import { backChange, moveChange, routeDigest, sendRoute } from "./route-change.ts";

/** A route of a plan as it is now. */
export interface RoutePart extends Part {
  /** Why its own controller has not taken it up; undefined when it has, or nobody says. */
  readonly unsettled: string | undefined;
  /** When a canary step last changed it, milliseconds since the epoch. */
  readonly movedAt: number | undefined;
}

/** The routes in the order of the plan. Throws KubeError. */
export function routeParts(plan: CanaryPlan, context: ApplyContext): Promise<readonly RoutePart[]> {
  const { from, to } = plan;
  return Promise.all(
    from.traffic.routes.map(async (before, index) => {
      const after = to.traffic.routes[index] ?? before;
      const { kind, name } = parseRouteTitle(before.object);
      const key = { namespace: context.namespace, name };
      const object = await context.executor.tryGet(ROUTE_KINDS[kind].type, key, { signal: context.signal });
      return partOf(before, after, object, plan, context);
    }),
  );
}

function partOf(
  before: RouteState,
  after: RouteState,
  object: RouteObject | undefined,
  { from, to, canary }: CanaryPlan,
  { executor, namespace, signal, now }: ApplyContext,
): RoutePart {
  const { object: title, uid } = before;
  const base = { title, changes: before.digest !== after.digest, unsettled: undefined, movedAt: undefined };
  if (object === undefined) return { ...base, state: foreign(`${title} is gone`) };
  if (object.metadata.uid !== uid) {
    return { ...base, state: foreign(`${title} was deleted and created again`) };
  }
  const kind = ROUTE_KINDS[parseRouteTitle(title).kind];
  const at = readFormerRules(object)?.at;
  const seen = {
    ...base,
    unsettled: kind.unsettled(object),
    movedAt: at === undefined ? undefined : Date.parse(at),
  };
  const digest = routeDigest(kind, object);
  if (digest === after.digest) return { ...seen, state: { kind: "To" } };
  if (digest !== before.digest) return { ...seen, state: foreign(`${title} was changed by somebody else`) };
  const move = { canary: from.traffic.destination, stable: to.traffic.destination, namespace };
  const change =
    canary.restores === true
      ? backChange(kind, object, after.digest)
      : moveChange(kind, object, move, new Date(now).toISOString());
  if (change === undefined) {
    return {
      ...seen,
      state: foreign(`the rules that ${title} is to have are not recorded on it any more`),
    };
  }
  const act = `${title} sends to ${to.traffic.destination.host}`;
  return {
    ...seen,
    state: { kind: "From", act, send: () => sendRoute(kind, object, change, executor, signal, false) },
  };
}

function foreign(message: string): Part["state"] {
  return { kind: "Foreign", message };
}
