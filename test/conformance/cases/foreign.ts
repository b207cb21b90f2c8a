import type { Stage } from "../action-case.ts";

/** Somebody deploys another version. */
export function setImage({ shop }: Stage, name: string): Promise<unknown> {
  const path = "/spec/template/spec/containers/0/image";
  return shop.edit([{ op: "replace", path, value: "web:v9" }], name);
}

export function restartByKubectl({ world, shop }: Stage, name: string): Promise<unknown> {
  return world.kubectl(["rollout", "restart", `deployment/${name}`, "-n", shop.namespace]);
}
