import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { PodTemplateSpec } from "../kube/well-known.ts";
import { changedPaths, HASH_LABEL, sameBesidesRestart, sameTemplate, withoutHashLabel } from "./template.ts";

const word = fc.stringMatching(/^[a-z]{1,6}$/);
const words = fc.dictionary(word, word, { maxKeys: 3 });
const container = fc.record({
  name: word,
  image: word,
  env: fc.uniqueArray(fc.record({ name: word, value: word }), { selector: ({ name }) => name, maxLength: 3 }),
});
const template: fc.Arbitrary<PodTemplateSpec> = fc.record({
  metadata: fc.record({ labels: words, annotations: words }, { requiredKeys: [] }),
  spec: fc.record({
    containers: fc.uniqueArray(container, { selector: ({ name }) => name, minLength: 1, maxLength: 3 }),
  }),
});

const labelled = (of: PodTemplateSpec): PodTemplateSpec => ({
  ...of,
  metadata: { ...of.metadata, labels: { ...of.metadata?.labels, [HASH_LABEL]: "5d4" } },
});
const restarted = (of: PodTemplateSpec): PodTemplateSpec => ({
  ...of,
  metadata: {
    ...of.metadata,
    annotations: { ...of.metadata?.annotations, "kubectl.kubernetes.io/restartedAt": "now" },
  },
});

describe("pod templates", () => {
  it("are the same whatever the hash label, empty metadata and the order of keys", () => {
    fc.assert(
      fc.property(template, (one) => {
        const { metadata, spec } = one;
        const reordered = { spec, metadata: { ...metadata, creationTimestamp: null } };

        expect(sameTemplate(one, labelled(one))).toBe(true);
        expect(sameTemplate(one, reordered)).toBe(true);
        expect(withoutHashLabel(labelled(one)).metadata?.labels ?? {}).toEqual(metadata?.labels ?? {});
      }),
    );
  });

  it("differ exactly when some path differs", () => {
    fc.assert(
      fc.property(template, template, (one, other) => {
        expect(changedPaths(one, other).length === 0).toBe(sameTemplate(one, other));
      }),
    );
  });

  it("differ by a restart only: that is no other version", () => {
    fc.assert(
      fc.property(template, (one) => {
        expect(sameTemplate(one, restarted(one))).toBe(false);
        expect(sameBesidesRestart(one, restarted(one))).toBe(true);
      }),
    );
  });

  it("name changed paths, by the names of entries, and never a value", () => {
    const from = {
      spec: { containers: [{ name: "app", image: "a", env: [{ name: "TOKEN", value: "hunter2" }] }] },
    };
    const to = {
      spec: {
        containers: [
          { name: "app", image: "b" },
          { name: "sidecar", image: "c" },
        ],
      },
    };

    expect(changedPaths(from, to)).toEqual([
      "template.spec.containers[app].env",
      "template.spec.containers[app].image",
      "template.spec.containers[sidecar]",
    ]);
  });

  it("name no more and no longer paths than a status can hold", () => {
    const env = Array.from({ length: 100 }, (_, index) => ({
      name: `N${index}${"X".repeat(600)}`,
      value: "a",
    }));
    const paths = changedPaths(
      { spec: { containers: [{ name: "app", env }] } },
      { spec: { containers: [{ name: "app", env: env.map(({ name }) => ({ name, value: "b" })) }] } },
    );

    expect(paths).toHaveLength(64);
    expect(Math.max(...paths.map(({ length }) => length))).toBe(512);
  });
});
