import { describe, expect, it } from "@jest/globals";
import type { Deployment, ReplicaSet } from "../../kube/well-known.ts";
import { releaseEntry, toRelease, viewTarget } from "./target.ts";

const SEEN = Date.UTC(2026, 10, 22, 14, 0, 0);

function replicaSet(number: number, change: { history?: string; owner?: string } = {}): ReplicaSet {
  return {
    metadata: {
      name: `api-${number}`,
      namespace: "shop",
      uid: `rs-${number}`,
      creationTimestamp: "2026-11-22T13:00:00Z",
      labels: { "pod-template-hash": `h${number}` },
      annotations: {
        "deployment.kubernetes.io/revision": String(number),
        ...(change.history === undefined
          ? {}
          : { "deployment.kubernetes.io/revision-history": change.history }),
      },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          name: "api",
          uid: change.owner ?? "uid-api",
          controller: true,
        },
      ],
    },
    spec: { replicas: 2, selector: {}, template: { spec: { containers: [] } } },
  } as unknown as ReplicaSet;
}

function deployment(revision: number, change: { generation?: number } = {}): Deployment {
  return {
    metadata: {
      name: "api",
      namespace: "shop",
      uid: "uid-api",
      generation: change.generation ?? 3,
      annotations: { "deployment.kubernetes.io/revision": String(revision) },
    },
    spec: {},
    status: {
      observedGeneration: 3,
      replicas: 2,
      updatedReplicas: 2,
      availableReplicas: 2,
      readyReplicas: 2,
    },
  } as unknown as Deployment;
}

describe("viewTarget", () => {
  it("takes the revision that the Deployment itself names", () => {
    const view = viewTarget(deployment(1), [replicaSet(1), replicaSet(2)]);
    expect(view.live).toMatchObject({ uid: "rs-1", revision: 1 });
    expect(view.revisions.map(({ revision }) => revision)).toEqual([2, 1]);
    expect(view.desiredReplicas).toBe(1);
  });

  it("knows no live revision while the controller has not seen the newest spec", () => {
    expect(viewTarget(deployment(2, { generation: 4 }), [replicaSet(2)]).live).toBeUndefined();
  });

  it("leaves ReplicaSets of others out", () => {
    const view = viewTarget(deployment(2), [replicaSet(2, { owner: "uid-other" })]);
    expect(view).toMatchObject({ live: undefined, revisions: [] });
  });
});

describe("releaseEntry", () => {
  const view = viewTarget(deployment(5), [replicaSet(5)]);
  const [first] = view.revisions;
  const [again] = viewTarget(deployment(5), [replicaSet(5, { history: "2" })]).revisions;
  if (first === undefined || again === undefined) throw new Error("no revision in the example");

  it("starts with its ReplicaSet when that was made for it, even if nobody saw it", () => {
    expect(releaseEntry(view, first, undefined).startedAt).toBe("2026-11-22T13:00:00Z");
  });

  it("starts when it was seen to become live, where an old ReplicaSet is used again", () => {
    expect(releaseEntry(view, again, SEEN).startedAt).toBe("2026-11-22T14:00:00.000Z");
  });

  it("has no start when an old ReplicaSet is used again and nobody saw it", () => {
    expect(releaseEntry(view, again, undefined)).not.toHaveProperty("startedAt");
  });

  it("is found by ReplicaSet and number: the same template under another number is another release", () => {
    const ledger = {
      releases: [{ ...releaseEntry(view, first, undefined), revision: 4, rollbackBy: "r1" }],
    } as unknown as Parameters<typeof toRelease>[1];
    expect(toRelease(first, ledger)).toMatchObject({ startedAt: undefined, productOfRollback: undefined });
    expect(toRelease({ ...first, revision: 4 }, ledger)).toMatchObject({
      startedAt: Date.UTC(2026, 10, 22, 13),
      productOfRollback: { request: "r1" },
    });
  });
});
