import { serviceType, type Service } from "../../src/kube/well-known.ts";
import { container, openShop, roleBindingType, type Shop } from "./shop.ts";
import type { World } from "./world.ts";

const signal = new AbortController().signal;

/**
 * A shop whose Deployment `web` has a port `http` of the given number, behind a Service `web`. With `rights` its
 * executor may make checks by HTTP.
 */
export async function openServedShop(
  world: World,
  namespace: string,
  port: number,
  rights = true,
): Promise<Shop> {
  const shop = await openShop(world, namespace);
  if (rights) await bindChecks(world, namespace);
  await shop.open("web", { template: container({ ports: [{ name: "http", containerPort: port }] }) });
  await addService(world, namespace, { ports: [{ name: "http", port: 80, targetPort: "http" }] });
  return shop;
}

/** A Service of the pods of `web`, unless its spec says otherwise. */
export async function addService(
  world: World,
  namespace: string,
  spec: Readonly<Record<string, unknown>>,
  name = "web",
): Promise<void> {
  const full = { selector: { app: "web" }, ...spec } as unknown as Service["spec"];
  await world.client.create(serviceType, { metadata: { namespace, name }, spec: full }, { signal });
}

async function bindChecks(world: World, namespace: string): Promise<void> {
  const roleRef = {
    apiGroup: "rbac.authorization.k8s.io",
    kind: "ClusterRole",
    name: "rollback-executor-checks",
  };
  const subjects = [{ kind: "ServiceAccount", name: "rollback-executor", namespace }];
  const metadata = { namespace, name: "checks" };
  await world.client.create(roleBindingType, { metadata, roleRef, subjects }, { signal });
}
