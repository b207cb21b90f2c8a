import { isDeepStrictEqual } from "node:util";
import type { ConfigMapSpec } from "../../../src/actions/config-map/index.ts";
import { contentDigest } from "../../../src/config-maps/content.ts";
import { newSnapshot, snapshotName } from "../../../src/config-maps/snapshot.ts";
import { configMapType, type ConfigMap } from "../../../src/kube/well-known.ts";
import {
  createMap,
  editMap,
  getMap,
  membersOfMap,
  recreateMap,
  writesToMap,
} from "../../support/config-maps.ts";
import type { ActionCase } from "../action-case.ts";

const { signal } = new AbortController();

const BAD = { data: { LEVEL: "debug", NEW: "1" }, binaryData: { blob: "AAEC" } };
const GOOD = { data: { LEVEL: "info", "app.yaml": "a: 1\n" }, binaryData: {} };

interface Row {
  readonly title: string;
  readonly live: Pick<ConfigMap, "data" | "binaryData" | "immutable">;
  /** What it is to hold. */
  readonly wanted: Pick<ConfigMap, "data" | "binaryData">;
  readonly to: "values" | "snapshot";
}

function configMapCase({ title, live, wanted, to }: Row): ActionCase<ConfigMapSpec> {
  const immutable = live.immutable === true;
  const other = { data: { LEVEL: "theirs" }, ...(immutable ? { immutable } : {}) };
  return {
    title,
    async open({ world: { client }, shop: { namespace } }, name) {
      await createMap(client, namespace, name, live, { labels: { team: "core" } });
      if (to === "values") return { name, to: { values: wanted.data ?? {} }, restart: "Always" };
      await client.create(configMapType, newSnapshot(namespace, name, GOOD), { signal });
      return { name, to: { snapshot: snapshotName(name, contentDigest(name, GOOD)) }, restart: "Always" };
    },
    live: ({ world, shop }, name) => getMap(world.client, shop.namespace, name),
    changes: ({ world, shop }, name) => writesToMap(world, shop.namespace, name),
    part: (object) => membersOfMap(object),
    hasArrived: (object) =>
      object.metadata.labels?.["team"] === "core" &&
      isDeepStrictEqual(membersOfMap(object), {
        ...wanted,
        ...(immutable ? { immutable } : {}),
      }),
    ...(immutable ? { decisiveVerb: "delete", writesOfAct: 2 } : {}),
    foreignChanges: {
      ...(immutable
        ? {}
        : {
            "another value": ({ world, shop }, name) =>
              editMap(world.client, shop.namespace, name, { LEVEL: "theirs" }),
          }),
      "another object": ({ world, shop }, name) => recreateMap(world.client, shop.namespace, name, other),
    },
  };
}

export const configMapCases: readonly ActionCase<ConfigMapSpec>[] = [
  configMapCase({ title: "a snapshot", live: BAD, wanted: { data: GOOD.data }, to: "snapshot" }),
  configMapCase({
    title: "values",
    live: { data: { LEVEL: "debug" } },
    wanted: { data: { LEVEL: "info", EXTRA: "on" } },
    to: "values",
  }),
  configMapCase({
    title: "immutable, a snapshot",
    live: { ...BAD, immutable: true },
    wanted: { data: GOOD.data },
    to: "snapshot",
  }),
  configMapCase({
    title: "immutable, values",
    live: { data: { LEVEL: "debug" }, immutable: true },
    wanted: { data: { LEVEL: "info" } },
    to: "values",
  }),
];
