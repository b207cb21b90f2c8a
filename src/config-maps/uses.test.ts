import { describe, expect, it } from "@jest/globals";
import type { PodSpec, PodTemplateSpec } from "../kube/well-known.ts";
import { missingKeys } from "./consumers.ts";
import { reloaderOf } from "./reloaders.ts";
import { usesOf } from "./uses.ts";

function templateOf(
  spec: Partial<PodSpec>,
  annotations: Readonly<Record<string, string>> = {},
): PodTemplateSpec {
  return { metadata: { annotations }, spec: { containers: [], ...spec } };
}

const keyRef = (key: string, optional?: boolean) => ({
  name: "V",
  valueFrom: { configMapKeyRef: { name: "map", key, ...(optional === undefined ? {} : { optional }) } },
});
const volume = { name: "v", configMap: { name: "map" } };
const mount = { name: "v", mountPath: "/v" };

describe("how pods use a ConfigMap", () => {
  it.each([
    ["envFrom", { containers: [{ name: "a", envFrom: [{ configMapRef: { name: "map" } }] }] }, ["Env"]],
    ["an init container's env", { initContainers: [{ name: "a", env: [keyRef("k")] }] }, ["Env"]],
    ["a volume", { containers: [{ name: "a", volumeMounts: [mount] }], volumes: [volume] }, ["File"]],
    [
      "a projected volume",
      {
        containers: [{ name: "a", volumeMounts: [mount] }],
        volumes: [{ name: "v", projected: { sources: [{ configMap: { name: "map" } }] } }],
      },
      ["File"],
    ],
    [
      "a file that is mounted alone",
      { containers: [{ name: "a", volumeMounts: [{ ...mount, subPath: "k" }] }], volumes: [volume] },
      ["SubPath"],
    ],
    [
      "both",
      { containers: [{ name: "a", env: [keyRef("k")], volumeMounts: [mount] }], volumes: [volume] },
      ["Env", "File"],
    ],
    ["another map", { containers: [{ name: "a", envFrom: [{ configMapRef: { name: "other" } }] }] }, []],
    ["a volume that no container mounts", { volumes: [volume] }, []],
  ])("%s", (_, spec, uses) => {
    expect(usesOf(templateOf(spec), "map")).toEqual(uses);
  });

  it("asks about one key", () => {
    const spec = {
      containers: [{ name: "a", env: [keyRef("one")], volumeMounts: [mount] }],
      volumes: [{ name: "v", configMap: { name: "map", items: [{ key: "two", path: "two" }] } }],
    };
    expect(usesOf(templateOf(spec), "map", "one")).toEqual(["Env"]);
    expect(usesOf(templateOf(spec), "map", "two")).toEqual(["File"]);
    expect(usesOf(templateOf(spec), "map", "three")).toEqual([]);
  });

  it("names keys without which pods do not start", () => {
    const spec = {
      containers: [
        { name: "a", env: [keyRef("one"), keyRef("two", true), keyRef("bin")], volumeMounts: [mount] },
      ],
      volumes: [{ name: "v", configMap: { name: "map", items: [{ key: "three", path: "x" }] } }],
    };
    const content = { data: {}, binaryData: { bin: "AA==" } };
    expect(missingKeys(templateOf(spec), "map", content)).toEqual(["one", "three"]);
  });
});

describe("who restarts it by itself", () => {
  const RELOADER = "reloader.stakater.com";
  it.each<[string, Record<string, string>, Record<string, string>, string | undefined]>([
    ["nobody", {}, {}, undefined],
    ["Reloader for everything", { [`${RELOADER}/auto`]: "true" }, {}, "Reloader"],
    ["Reloader for ConfigMaps", { [`configmap.${RELOADER}/auto`]: "true" }, {}, "Reloader"],
    ["Reloader by name", { [`configmap.${RELOADER}/reload`]: "a, map" }, {}, "Reloader"],
    ["Reloader for another", { [`configmap.${RELOADER}/reload`]: "mapper" }, {}, undefined],
    ["Reloader by search", { [`${RELOADER}/search`]: "true" }, { [`${RELOADER}/match`]: "true" }, "Reloader"],
    ["Reloader by search without a match", { [`${RELOADER}/search`]: "true" }, {}, undefined],
    [
      "a map that Reloader ignores",
      { [`${RELOADER}/auto`]: "true" },
      { [`${RELOADER}/ignore`]: "true" },
      undefined,
    ],
    ["Wave", { "wave.pusher.com/update-on-config-change": "true" }, {}, "Wave"],
  ])("%s", (_, annotations, ofMap, who) => {
    const metadata = { name: "web", uid: "", resourceVersion: "", creationTimestamp: "" };
    const map = { name: "map", annotations: ofMap };
    expect(
      reloaderOf({ metadata: { ...metadata, annotations }, spec: { template: templateOf({}) } }, map),
    ).toBe(who);
    expect(reloaderOf({ metadata, spec: { template: templateOf({}, annotations) } }, map)).toBe(who);
  });
});
