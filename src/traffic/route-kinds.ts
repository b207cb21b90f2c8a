import { grpcRouteKind, httpRouteKind } from "./gateway-route.ts";
import type { RouteKind } from "./route-kind.ts";
import { virtualServiceKind } from "./virtual-service.ts";

/** Every kind of routes that is read and rewritten. */
export const ROUTE_KINDS = {
  VirtualService: virtualServiceKind,
  HTTPRoute: httpRouteKind,
  GRPCRoute: grpcRouteKind,
} as const satisfies Readonly<Record<string, RouteKind>>;

export type RouteKindName = keyof typeof ROUTE_KINDS;

export interface RouteName {
  readonly kind: RouteKindName;
  readonly name: string;
}

/** `VirtualService/api`. */
export function routeTitle({ kind, name }: RouteName): string {
  return `${kind}/${name}`;
}

/** The inverse of `routeTitle`. Throws TypeError on anything else. */
export function parseRouteTitle(title: string): RouteName {
  const [kind = "", name = ""] = title.split("/");
  if (!Object.hasOwn(ROUTE_KINDS, kind) || name === "") throw new TypeError(`"${title}" is no route`);
  return { kind: kind as RouteKindName, name };
}
