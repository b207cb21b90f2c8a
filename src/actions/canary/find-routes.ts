import { isForbidden } from "../../kube/errors.ts";
import { listIfServed } from "../../kube/list-if-served.ts";
import { destinationText } from "../../crds/canary-step.ts";
import { mayReach, serviceOf, type Destination } from "../../traffic/destination.ts";
import { movedRules, ruleLists, sendingsOf } from "../../traffic/rewrite.ts";
import { ROUTE_KINDS, routeTitle, type RouteKindName } from "../../traffic/route-kinds.ts";
import { entriesOf, roleOf, type Move, type RouteObject, type Rule } from "../../traffic/route-kind.ts";
import type { PlanContext } from "../action.ts";
import { refused, type Refusal } from "./refusal.ts";

/** A route of the namespace as it is now. */
export interface FoundRoute {
  readonly kind: RouteKindName;
  readonly title: string;
  readonly object: RouteObject;
  /** Whether routes of its kind can be told where to send instead. */
  readonly canMove: boolean;
}

export interface FoundRoutes {
  readonly routes: readonly FoundRoute[];
  /** What could not be looked at. */
  readonly warnings: readonly string[];
}

/** All routes of the namespace, of every kind that is served. Throws KubeError. */
export async function findRoutes(move: Move, { executor, signal }: PlanContext): Promise<FoundRoutes> {
  const { canary, stable, namespace } = move;
  const names = Object.keys(ROUTE_KINDS) as RouteKindName[];
  const lists = await Promise.all(
    names.map(async (name) => {
      const kind = ROUTE_KINDS[name];
      const { items, warnings } = await listIfServed(kind.type, executor, namespace, signal);
      const canMove = kind.canName(canary, namespace) && kind.canName(stable, namespace);
      return {
        routes: items.map((object) => ({
          kind: name,
          title: routeTitle({ kind: name, name: object.metadata.name }),
          // Items of a list have no kind of their own.
          object: { ...object, apiVersion: kind.type.apiVersion, kind: kind.type.kind },
          canMove,
        })),
        warnings:
          warnings.length === 0
            ? []
            : [
                `unchecked: no right to list ${kind.type.plural}, so one that sends to the canary was not seen`,
              ],
      };
    }),
  );
  return {
    routes: lists.flatMap(({ routes }) => routes),
    warnings: lists.flatMap(({ warnings }) => warnings),
  };
}

/** Whether any place of the routes has the role, served or not. Who gets copies only may be nobody's to answer. */
export function namesRole(routes: readonly FoundRoute[], role: "canary" | "stable", move: Move): boolean {
  return routes.some(({ kind, object }) =>
    sendingsOf(ROUTE_KINDS[kind], ruleLists(ROUTE_KINDS[kind], object), move.namespace).some(
      ({ destination, isMirror }) => roleOf(destination, move) === role && (role === "canary" || !isMirror),
    ),
  );
}

/** Every place that the routes send to, for people: each once. */
export function destinationsText(routes: readonly FoundRoute[], namespace: string): string {
  const texts = routes.flatMap(({ kind, object }) =>
    sendingsOf(ROUTE_KINDS[kind], ruleLists(ROUTE_KINDS[kind], object), namespace).map(({ destination }) =>
      destinationText(destination),
    ),
  );
  return [...new Set(texts)].slice(0, 10).join(", ") || "nowhere";
}

/** What a Service's routes send to pods that only a subset tells apart: those routes cannot be told to leave them out. */
export function blindRoutes(routes: readonly FoundRoute[], move: Move): readonly string[] {
  return routes
    .filter(({ canMove, kind, object }) => {
      const lists = ruleLists(ROUTE_KINDS[kind], object);
      return (
        !canMove &&
        sendingsOf(ROUTE_KINDS[kind], lists, move.namespace).some(
          ({ destination, isServed }) => isServed && mayReach(destination, move.canary, move.namespace),
        )
      );
    })
    .map(
      ({ title }) =>
        `${title} sends to all pods of Service ${move.canary.host}, those of the canary among them, until these are gone`,
    );
}

/**
 * VirtualServices hand requests to delegates, also of other namespaces, which this step does not write: one that sends
 * to the canary is a refusal, one that may not be read is a warning.
 */
export async function foreignDelegates(
  routes: readonly FoundRoute[],
  move: Move,
  { executor, signal }: PlanContext,
): Promise<{ readonly refusal: Refusal | undefined; readonly warnings: readonly string[] }> {
  const warnings: string[] = [];
  for (const { namespace, name, by } of delegatesOf(routes, move.namespace)) {
    const kind = ROUTE_KINDS.VirtualService;
    const title = `VirtualService ${namespace}/${name}, a delegate of ${by}`;
    try {
      const object = await executor.tryGet(kind.type, { namespace, name }, { signal });
      if (object === undefined) continue;
      const there = { canary: full(move.canary, move), stable: full(move.stable, move), namespace };
      if (movedRules(kind, ruleLists(kind, object), there).length === 0) continue;
      const message = `${title}, sends to ${destinationText(move.canary)}, and this step writes in namespace ${move.namespace} only: take the canary out of that one first`;
      return { refusal: refused("DelegateElsewhere", message), warnings };
    } catch (error) {
      if (!isForbidden(error)) throw error;
      warnings.push(`unchecked: no right to read ${title}, which may send to the canary`);
    }
  }
  return { refusal: undefined, warnings };
}

function delegatesOf(routes: readonly FoundRoute[], home: string) {
  const found = routes.flatMap(({ title, object }) =>
    entriesOf(object.spec["http"]).flatMap((rule) => {
      const { name, namespace } = (rule["delegate"] ?? {}) as Rule;
      return typeof name === "string" && typeof namespace === "string" && namespace !== home
        ? [{ name, namespace, by: title }]
        : [];
    }),
  );
  return new Map(found.map((each) => [`${each.namespace}/${each.name}`, each])).values();
}

/** The destination by a name that means the same in every namespace. */
function full(destination: Destination, { namespace }: Move): Destination {
  const service = serviceOf(destination.host, namespace);
  return service === undefined
    ? destination
    : { ...destination, host: `${service.name}.${service.namespace}.svc.cluster.local` };
}
