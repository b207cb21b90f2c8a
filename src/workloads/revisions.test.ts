import { describe, expect, it } from "@jest/globals";
import { REVISION, imagesOf, liveRevision, revisionsOf, toRef } from "./revisions.ts";
import { deploymentOf, replicaSetOf } from "./testing/history.ts";

const RELEASES = [
  { revision: 1, image: "web:v1" },
  { revision: 3, image: "web:v3", history: "2, 0" },
] as const;
const deployment = deploymentOf(RELEASES);
const sets = RELEASES.map(replicaSetOf);

describe("revisions of a Deployment", () => {
  it("are its own ReplicaSets, newest first, with the numbers they had before", () => {
    expect(revisionsOf(deployment, sets)).toMatchObject([
      { revision: 3, formerRevisions: [2, 0] },
      { revision: 1, formerRevisions: [] },
    ]);
  });

  it("are told by the owner's UID, not by name or selector", () => {
    const [first, ...rest] = sets;
    const strangers = rest.map((set) => ({
      ...set,
      metadata: {
        ...set.metadata,
        ownerReferences: [
          { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "x", controller: true },
        ],
      },
    }));

    expect(revisionsOf(deployment, [first!, ...strangers])).toHaveLength(1);
  });

  it.each(["", "x", "-1", "1e3", "99999999999"])("are skipped when their number is %j", (number) => {
    const odd = sets.map((set) => ({
      ...set,
      metadata: { ...set.metadata, annotations: { [REVISION]: number } },
    }));

    expect(revisionsOf(deployment, odd)).toEqual([]);
  });

  it("know the live one by its template; none while the controller has not made it", () => {
    const revisions = revisionsOf(deployment, sets);

    expect(liveRevision(deployment, revisions)?.revision).toBe(3);
    expect(liveRevision(deploymentOf([{ revision: 4, image: "web:v4" }]), revisions)).toBeUndefined();
  });

  it("fit into a status however long their images are", () => {
    const containers = Array.from({ length: 40 }, (_, n) => ({ name: `c${n}`, image: "i".repeat(600) }));
    const images = imagesOf({ spec: { containers } });

    expect(images).toHaveLength(32);
    expect(images.every(({ length }) => length === 512)).toBe(true);
    expect(toRef(revisionsOf(deployment, sets)[0]!)).toEqual({
      revision: 3,
      name: "web-webv3",
      uid: "uid-webv3",
      podTemplateHash: "webv3",
      images: ["web:v3"],
    });
  });
});
