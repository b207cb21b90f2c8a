import { describe, expect, it } from "@jest/globals";
import type { KubeObject } from "./objects.ts";
import { identifyReplicaSets } from "./transforms.ts";

function partial(name: string, ownerUid: string, namespace = "shop"): KubeObject {
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: ownerUid };
  return {
    apiVersion: "meta.k8s.io/v1",
    kind: "PartialObjectMetadata",
    metadata: {
      name,
      namespace,
      uid: `uid-of-${name}`,
      resourceVersion: "7",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { app: "web", hash: "abc" },
      annotations: { revision: "3", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
      ownerReferences: [
        { ...owner, uid: "other" },
        { ...owner, controller: true },
      ],
    },
  };
}

describe("identifyReplicaSets", () => {
  const names = { labels: ["hash"], annotations: ["revision", "history"] };

  it("keeps who it is and whose, and nothing else", () => {
    expect(identifyReplicaSets(names)(partial("web-1", "a"))).toEqual({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: "web-1",
        namespace: "shop",
        uid: "uid-of-web-1",
        resourceVersion: "7",
        creationTimestamp: "2026-01-01T00:00:00Z",
        labels: { hash: "abc" },
        annotations: { revision: "3" },
        ownerReferences: [
          { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "a", controller: true },
        ],
      },
      spec: { selector: {}, template: { spec: { containers: [] } } },
    });
  });

  it("keeps equal revision annotations once, and different ones apart", () => {
    const identify = identifyReplicaSets(names);
    const revision = (name: string, number: string) => {
      const { metadata, ...rest } = partial(name, "a");
      return identify({ ...rest, metadata: { ...metadata, annotations: { revision: number } } }).metadata;
    };
    const [one, same, other] = [revision("web-1", "3"), revision("web-2", "3"), revision("web-3", "4")];

    expect(same.annotations).toBe(one.annotations);
    expect(other.annotations).toEqual({ revision: "4" });
  });

  it("gives each its own owner and namespace, whatever came before", () => {
    const identify = identifyReplicaSets(names);
    const orphan: KubeObject = {
      ...partial("web-4", "a"),
      metadata: { ...partial("web-4", "a").metadata, ownerReferences: [] },
    };
    const all = [
      partial("web-1", "a"),
      partial("web-2", "a"),
      orphan,
      partial("api-1", "b", "other"),
      partial("web-3", "a"),
    ].map(identify);
    expect(all.map(({ metadata }) => [metadata.namespace, metadata.ownerReferences?.[0]?.uid])).toEqual([
      ["shop", "a"],
      ["shop", "a"],
      ["shop", undefined],
      ["other", "b"],
      ["shop", "a"],
    ]);
    expect(all[0]?.metadata.ownerReferences).toBe(all[1]?.metadata.ownerReferences);
  });
});
