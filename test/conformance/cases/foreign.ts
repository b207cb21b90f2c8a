import { setsOf } from "../../support/sets.ts";
import type { Stage } from "../action-case.ts";

const IMAGE_PATH = "/spec/template/spec/containers/0/image";

/** Somebody deploys another version of a Deployment. */
export function setImage({ shop }: Stage, name: string): Promise<unknown> {
  return shop.edit([{ op: "replace", path: IMAGE_PATH, value: "web:v9" }], name);
}

export function setImageOfStatefulSet({ world, shop }: Stage, name: string): Promise<unknown> {
  const edit = [{ op: "replace", path: IMAGE_PATH, value: "web:v9" }] as const;
  return setsOf(world, shop, "StatefulSet").edit(edit, name);
}

/** `kubectl rollout restart` of a kind. */
export function restartByKubectl(kind: string) {
  return ({ world, shop }: Stage, name: string): Promise<unknown> =>
    world.kubectl(["rollout", "restart", `${kind}/${name}`, "-n", shop.namespace]);
}
