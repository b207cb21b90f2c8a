import type { KubeObject } from "../../src/kube/objects.ts";
import { isAlreadyExists } from "../../src/kube/errors.ts";
import { serviceType } from "../../src/kube/well-known.ts";
import { ROUTE_KINDS, type RouteKindName } from "../../src/traffic/route-kinds.ts";
import type { RouteObject } from "../../src/traffic/route-kind.ts";
import type { Shop } from "./shop.ts";
import type { World } from "./world.ts";

const { signal } = new AbortController();

/** The stable version's Service and Deployment of every namespace of a test. */
export const STABLE = "stable";

type Place = { readonly world: Pick<World, "client">; readonly shop: Pick<Shop, "namespace" | "open"> };

/** A Service of all pods with the label `app: NAME`; nothing when it is there. */
export async function addServiceOf({ world, shop }: Place, name: string, selected = name): Promise<void> {
  const ports = [{ port: 80 }];
  const { namespace } = shop;
  try {
    await world.client.create(
      serviceType,
      { metadata: { namespace, name }, spec: { selector: { app: selected }, ports } },
      { signal },
    );
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

const opened = new WeakMap<object, Promise<unknown>>();

/** The stable version, once in a shop. */
export function openStable(place: Place): Promise<unknown> {
  const known = opened.get(place.shop);
  if (known !== undefined) return known;
  const opening = Promise.all([place.shop.open(STABLE), addServiceOf(place, STABLE)]);
  opened.set(place.shop, opening);
  return opening;
}

export function addRoute(
  { world, shop }: Place,
  kind: RouteKindName,
  name: string,
  spec: RouteObject["spec"],
  annotations?: Readonly<Record<string, string>>,
): Promise<RouteObject> {
  const { namespace } = shop;
  const metadata = { namespace, name, ...(annotations === undefined ? {} : { annotations }) };
  return world.client.create(ROUTE_KINDS[kind].type, { metadata, spec }, { signal });
}

export function liveRoute({ world, shop }: Place, kind: RouteKindName, name: string): Promise<RouteObject> {
  return world.client.get(ROUTE_KINDS[kind].type, { namespace: shop.namespace, name }, { signal });
}

/** Somebody edits a route. */
export function editRoute(
  { world, shop }: Place,
  kind: RouteKindName,
  name: string,
  path: string,
  value: unknown,
): Promise<KubeObject> {
  return world.client.patch(
    ROUTE_KINDS[kind].type,
    { namespace: shop.namespace, name },
    { kind: "json", operations: [{ op: "replace", path, value }] },
    { signal },
  );
}
