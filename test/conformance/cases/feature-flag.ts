import type { FlagSpec } from "../../../src/actions/feature-flag/index.ts";
import type { ConfigMap } from "../../../src/kube/well-known.ts";
import { createMap, editMap, getMap, recreateMap, writesToMap } from "../../support/config-maps.ts";
import type { ActionCase } from "../action-case.ts";

const KEY = "FEATURE_NEW";

export const featureFlagCases: readonly ActionCase<FlagSpec>[] = [
  {
    title: "one key of several",
    async open({ world, shop }, name) {
      await createMap(world.client, shop.namespace, name, { data: { [KEY]: "true", OTHER: "x" } });
      return { configMap: { name, key: KEY, value: "false" } };
    },
    live: ({ world, shop }, name) => getMap(world.client, shop.namespace, name),
    changes: ({ world, shop }, name) => writesToMap(world, shop.namespace, name),
    part: (object) => (object as ConfigMap).data?.[KEY],
    hasArrived: (object) => (object as ConfigMap).data?.[KEY] === "false",
    foreignChanges: {
      "another value": ({ world, shop }, name) =>
        editMap(world.client, shop.namespace, name, { [KEY]: "theirs" }),
      "its removal": ({ world, shop }, name) => editMap(world.client, shop.namespace, name, { [KEY]: null }),
      "another object": ({ world, shop }, name) =>
        recreateMap(world.client, shop.namespace, name, { data: { [KEY]: "true" } }),
    },
  },
];
