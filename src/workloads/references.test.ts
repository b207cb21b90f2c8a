import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { requiredReferences } from "./references.ts";

describe("what pods of a template cannot start without", () => {
  it("finds it in every place, once", () => {
    const ref = (name: string) => ({ name });
    const key = (name: string) => ({ name, key: "k" });
    const found = requiredReferences({
      spec: {
        serviceAccountName: "account",
        priorityClassName: "important",
        runtimeClassName: "sandbox",
        imagePullSecrets: [ref("pull"), {}],
        initContainers: [{ name: "init", envFrom: [{ secretRef: ref("init-secret") }] }],
        containers: [
          {
            name: "app",
            env: [
              { name: "A", valueFrom: { configMapKeyRef: key("env-map") } },
              { name: "B", valueFrom: { secretKeyRef: key("env-secret") } },
              { name: "C", value: "plain" },
              { name: "D", valueFrom: { fieldRef: {} } },
            ],
            envFrom: [{ configMapRef: ref("from-map") }, { configMapRef: ref("from-map") }],
          },
        ],
        volumes: [
          { name: "v1", configMap: ref("volume-map") },
          { name: "v2", secret: { secretName: "volume-secret" } },
          { name: "v3", persistentVolumeClaim: { claimName: "claim" } },
          {
            name: "v4",
            projected: { sources: [{ configMap: ref("p-map") }, { secret: ref("p-secret") }, { token: {} }] },
          },
          { name: "v5", emptyDir: {} },
        ],
      },
    });

    expect(found.map(({ kind, name, usedBy }) => `${kind} ${name} ${usedBy}`)).toEqual([
      "Secret init-secret container init",
      "ConfigMap env-map container app",
      "Secret env-secret container app",
      "ConfigMap from-map container app",
      "ConfigMap volume-map volume v1",
      "Secret volume-secret volume v2",
      "PersistentVolumeClaim claim volume v3",
      "ConfigMap p-map volume v4",
      "Secret p-secret volume v4",
      "Secret pull imagePullSecrets",
      "ServiceAccount account serviceAccountName",
      "PriorityClass important priorityClassName",
      "RuntimeClass sandbox runtimeClassName",
    ]);
  });

  it("leaves out what is optional, and is total over what a template may lack", () => {
    const source = fc.record({ name: fc.string(), optional: fc.boolean() }, { requiredKeys: [] });
    const template = fc.record({
      spec: fc.record(
        {
          containers: fc.array(
            fc.record({
              name: fc.string(),
              envFrom: fc.array(fc.record({ configMapRef: source, secretRef: source }, { requiredKeys: [] })),
            }),
          ),
          volumes: fc.array(fc.record({ name: fc.string(), configMap: source }, { requiredKeys: ["name"] })),
        },
        { requiredKeys: ["containers"] },
      ),
    });
    fc.assert(
      fc.property(template, (of) => {
        const sources = [
          ...of.spec.containers.flatMap(({ envFrom }) =>
            envFrom.flatMap(({ configMapRef, secretRef }) => [configMapRef, secretRef]),
          ),
          ...(of.spec.volumes ?? []).map(({ configMap }) => configMap),
        ];
        const required = sources.filter((s) => s?.name !== undefined && s.name !== "" && s.optional !== true);

        expect(new Set(requiredReferences(of).map(({ name }) => name))).toEqual(
          new Set(required.map((s) => s?.name)),
        );
      }),
    );
  });
});
