import { describe, expect, it } from "@jest/globals";
import type { ControllerRevision } from "../kube/workload-types.ts";
import { controllerRevisionsOf } from "./controller-revisions.ts";
import { parseWorkloadTitle, workloadTitle } from "./workload.ts";

const OWNER = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: {
    name: "db",
    namespace: "shop",
    uid: "set-uid",
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
};

function revisionOf(
  revision: number,
  labels: Readonly<Record<string, string>>,
  ownerUid = "set-uid",
): ControllerRevision {
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: `db-h${revision}`,
      namespace: "shop",
      uid: `uid-${revision}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels,
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "StatefulSet", name: "db", uid: ownerUid, controller: true },
      ],
    },
    revision,
    data: {
      spec: {
        template: {
          $patch: "replace",
          spec: { containers: [{ name: "app", image: `db:v${revision}` }] },
        } as never,
      },
    },
  };
}

describe("ControllerRevisions", () => {
  it("are a history: newest first, of their owner by UID, without the patch directive", () => {
    const hash = (text: string) => ({ "controller.kubernetes.io/hash": text });
    const found = controllerRevisionsOf("StatefulSet", OWNER, [
      revisionOf(1, hash("a")),
      revisionOf(3, hash("c")),
      revisionOf(2, hash("b"), "another"),
      revisionOf(4, {}),
    ]);

    expect(found).toEqual([
      {
        revision: 3,
        formerRevisions: [],
        uid: "uid-3",
        name: "db-h3",
        podTemplateHash: "c",
        createdAt: "2026-01-01T00:00:00Z",
        template: { spec: { containers: [{ name: "app", image: "db:v3" }] } },
        changeCause: undefined,
      },
      expect.objectContaining({ revision: 1 }),
    ]);
  });

  it("of a DaemonSet have another label", () => {
    const revisions = [revisionOf(1, { "controller-revision-hash": "a" })];

    expect(controllerRevisionsOf("DaemonSet", OWNER, revisions)).toMatchObject([{ podTemplateHash: "a" }]);
    expect(controllerRevisionsOf("StatefulSet", OWNER, revisions)).toEqual([]);
  });
});

describe("titles of workloads", () => {
  it("say kind and name, and nothing else is one", () => {
    const key = { kind: "StatefulSet", namespace: "shop", name: "db" } as const;

    expect(parseWorkloadTitle(workloadTitle(key), "shop")).toEqual(key);
    for (const text of ["db", "Pod/db", "StatefulSet/", "toString/db"]) {
      expect(() => parseWorkloadTitle(text, "shop")).toThrow(TypeError);
    }
  });
});
