import { describe, expect, it } from "@jest/globals";
import type { KubeObject } from "../kube/objects.ts";
import { isCompletionOf, rolloutTemplate } from "./rollout-template.ts";

const HASH = "rollouts-pod-template-hash";

function replicaSet(annotations: Readonly<Record<string, string>> = {}): KubeObject {
  const metadata = { name: "web-1", uid: "u", resourceVersion: "1", creationTimestamp: "", annotations };
  return { apiVersion: "apps/v1", kind: "ReplicaSet", metadata };
}

describe("the template of a Rollout, out of its ReplicaSet", () => {
  const containers = [{ name: "app", image: "web:v1" }];

  it("has neither hash label nor what the controller put on the pods", () => {
    const annotations = {
      "rollout.argoproj.io/ephemeral-metadata": '{"labels":{"role":"canary"},"annotations":{"told":"x"}}',
    };
    const template = {
      metadata: {
        labels: { app: "web", role: "canary", [HASH]: "5d4" },
        annotations: { told: "x", own: "y" },
      },
      spec: { containers },
    };

    expect(rolloutTemplate(replicaSet(annotations), template)).toEqual({
      metadata: { labels: { app: "web" }, annotations: { own: "y" } },
      spec: { containers },
    });
  });

  it("keeps what is not known to be the controller's", () => {
    const annotations = { "rollout.argoproj.io/ephemeral-metadata": "{broken" };
    const template = { metadata: { labels: { app: "web", role: "canary" } }, spec: { containers } };

    expect(rolloutTemplate(replicaSet(annotations), template)).toEqual(template);
  });
});

describe("what the server completed", () => {
  it.each([
    [
      "defaults beside it",
      { a: 1, b: { c: "x" }, d: [{ e: 1, f: 2 }] },
      { b: { c: "x" }, d: [{ e: 1 }] },
      true,
    ],
    [
      "what says nothing",
      {},
      { resources: {}, creationTimestamp: null, name: "", off: false, zero: 0 },
      true,
    ],
    ["another value", { image: "v2" }, { image: "v1" }, false],
    ["one value that is missing", {}, { nodeSelector: { disk: "ssd" } }, false],
    ["another number of items", { env: [{ name: "a" }] }, { env: [{ name: "a" }, { name: "b" }] }, false],
    ["off, where it is on", { hostNetwork: true }, { hostNetwork: false }, false],
    ["an object where there is a list", { a: [] }, { a: { b: 1 } }, false],
  ])("%s", (_, stored, written, expected) => {
    expect(isCompletionOf(stored, written)).toBe(expected);
  });
});
