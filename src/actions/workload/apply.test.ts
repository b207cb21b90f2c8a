import { describe, expect, it } from "@jest/globals";
import type { WorkloadTo } from "../../crds/steps.ts";
import type { PlanResult } from "../action.ts";
import { deploymentOf, replicaSetOf, templateOf, type Release } from "../../workloads/testing/history.ts";
import { memoryWorkloads, type MemoryWorkloads } from "../../workloads/testing/memory-workloads.ts";
import { applyWorkload } from "./apply.ts";
import { observeWorkload } from "./observe.ts";
import { planWorkload, type WorkloadPlan } from "./plan.ts";
import { reverseWorkload } from "./reverse.ts";
import { REFUSE_OWNED } from "../../gitops/rule.ts";

const RELEASES: readonly Release[] = [
  { revision: 1, image: "web:v1", changeCause: "first" },
  { revision: 2, image: "web:v2", changeCause: "second" },
];
const signal = new AbortController().signal;

function world(): MemoryWorkloads {
  return memoryWorkloads(deploymentOf(RELEASES), RELEASES.map(replicaSetOf));
}

function context({ client }: MemoryWorkloads) {
  const soak = { key: "", restored: [], signals: [] };
  return { executor: client, namespace: "shop", signal, now: Date.now(), appliedAt: undefined, soak };
}

function plan(
  of: MemoryWorkloads,
  to: WorkloadTo = { strategy: "Previous" },
): Promise<PlanResult<WorkloadPlan>> {
  return planWorkload(
    "app",
    { kind: "Deployment", name: "web", to },
    {
      executor: of.client,
      executorName: "rollback-executor",
      namespace: "shop",
      ledger: undefined,
      from: undefined,
      earlier: undefined,
      now: 0,
      expectedPodTemplateHash: undefined,
      gitOps: REFUSE_OWNED,
      allowedImages: [],
      automatic: false,
      signal,
    },
  );
}

async function planned(of: MemoryWorkloads, to?: WorkloadTo): Promise<WorkloadPlan> {
  const result = await plan(of, to);
  if (result.kind !== "Planned") throw new Error(JSON.stringify(result));
  return result.plan;
}

/** Somebody deploys another version. */
function release(of: MemoryWorkloads, image: string): void {
  const next = { revision: 9, image };
  of.deployment = deploymentOf([...RELEASES, next]);
  of.replicaSets = [...RELEASES, next].map(replicaSetOf);
}

describe("planning", () => {
  it("changes nothing", async () => {
    const shop = world();

    await planned(shop);

    expect(shop.patches).toEqual([]);
  });

  describe("when the object is numbered while it is looked at", () => {
    const numberedBy = (shop: MemoryWorkloads, revision: number) => {
      const { deployment } = shop;
      if (deployment === undefined) return;
      const annotations = { "deployment.kubernetes.io/revision": `${revision}` };
      shop.deployment = { ...deployment, metadata: { ...deployment.metadata, annotations } };
    };

    it("looks once more, instead of refusing", async () => {
      const shop = world();
      shop.meanwhile = () => {
        shop.meanwhile = () => undefined;
        numberedBy(shop, 7);
      };

      expect(await plan(shop)).toMatchObject({ kind: "Planned" });
    });

    it("asks again later when it goes on", async () => {
      const shop = world();
      let revision = 7;
      shop.meanwhile = () => numberedBy(shop, (revision += 1));

      expect(await plan(shop)).toMatchObject({ kind: "Pending" });
    });
  });

  it("refuses what the server refuses", async () => {
    const shop = world();
    shop.forbidden = ["patch"];

    expect(await plan(shop)).toMatchObject({ kind: "Refused", reason: "DryRunRefused" });
  });

  it("gives the same digest for the same change, and another for another executor or revision", async () => {
    const shop = world();
    const { digest } = await planned(shop);
    const { metadata, ...rest } = deploymentOf(RELEASES, { replicas: 5 });
    shop.deployment = { ...rest, metadata: { ...metadata, resourceVersion: "99" } };

    expect((await planned(shop)).digest).toBe(digest);
    release(shop, "web:v3");
    expect((await planned(shop)).digest).not.toBe(digest);
  });
});

describe("applying", () => {
  it("puts template and change cause back, once however often it is repeated", async () => {
    const shop = world();
    const step = await planned(shop);

    expect(await applyWorkload(step, context(shop))).toEqual({ kind: "Applied", alreadyThere: false });
    expect(await applyWorkload(step, context(shop))).toEqual({ kind: "Applied", alreadyThere: true });
    expect(shop.patches).toHaveLength(1);
    expect(shop.deployment?.spec.template).toEqual(templateOf({ image: "web:v1" }));
    expect(shop.deployment?.metadata.annotations).toEqual({
      "deployment.kubernetes.io/revision": "2",
      "kubernetes.io/change-cause": "first",
    });
  });

  it.each<readonly [string, (of: MemoryWorkloads) => void, object]>([
    ["somebody deployed in between", (shop) => release(shop, "web:v9"), { kind: "Superseded" }],
    ["it is gone", (shop) => (shop.deployment = undefined), { kind: "Superseded" }],
    [
      "it was deleted and made again",
      (shop) => {
        const { metadata, ...rest } = deploymentOf(RELEASES);
        shop.deployment = { ...rest, metadata: { ...metadata, uid: "another" } };
      },
      { kind: "Superseded", message: expect.stringContaining("deleted and created again") },
    ],
    [
      "the revision was trimmed",
      (shop) => (shop.replicaSets = shop.replicaSets.slice(1)),
      {
        kind: "Refused",
        reason: "RevisionNotFound",
        message: expect.stringContaining("between plan and act"),
      },
    ],
    [
      "it was paused",
      (shop) => (shop.deployment = deploymentOf(RELEASES, { paused: true })),
      { kind: "Refused", reason: "Paused" },
    ],
    ["admission says no", (shop) => (shop.forbidden = ["patch"]), { kind: "Refused", reason: "StepFailed" }],
  ])("does nothing when %s", async (_, change, expected) => {
    const shop = world();
    const step = await planned(shop);
    change(shop);

    expect(await applyWorkload(step, context(shop))).toMatchObject(expected);
    expect(shop.patches).toEqual([]);
  });

  it("never writes over a change that comes while the patch is on its way", async () => {
    const shop = world();
    const step = await planned(shop);
    shop.meanwhile = () => release(shop, "web:v9");

    expect(await applyWorkload(step, context(shop))).toMatchObject({ kind: "Superseded" });
    expect(shop.patches).toEqual([]);
    expect(shop.deployment?.spec.template).toEqual(templateOf({ image: "web:v9" }));
  });
});

describe("a pinned image", () => {
  const pin: WorkloadTo = { image: { container: "app", image: "web:v1" } };
  /** The live release differs from the first in more than its image. */
  const CHANGED: readonly Release[] = [
    { revision: 1, image: "web:v1" },
    { revision: 2, image: "web:v2", annotations: { team: "core" } },
  ];
  const changed = () => memoryWorkloads(deploymentOf(CHANGED), CHANGED.map(replicaSetOf));
  const result = templateOf({ image: "web:v1", annotations: { team: "core" } });

  it("is put into the live template, once however often it is repeated", async () => {
    const shop = changed();
    const step = await planned(shop, pin);

    expect(step.to).toEqual({
      images: ["web:v1"],
      image: { container: "app", image: "web:v1" },
      templateDigest: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(await applyWorkload(step, context(shop))).toEqual({ kind: "Applied", alreadyThere: false });
    // Not even the history that it was made from is needed to know it again.
    shop.replicaSets = [replicaSetOf({ revision: 3, image: "web:v1", annotations: { team: "core" } })];
    expect(await applyWorkload(step, context(shop))).toEqual({ kind: "Applied", alreadyThere: true });
    expect(await observeWorkload(step, context(shop), 0)).toMatchObject({
      kind: "Done",
      after: { revision: 3 },
    });
    expect(shop.patches).toHaveLength(1);
    expect(shop.deployment?.spec.template).toEqual(result);
  });

  it("is not written over what somebody else deployed, nor taken for it", async () => {
    const shop = changed();
    const step = await planned(shop, pin);
    const next = { revision: 3, image: "web:v1", annotations: { team: "another" } };
    shop.deployment = deploymentOf([...CHANGED, next]);
    shop.replicaSets = [...CHANGED, next].map(replicaSetOf);

    expect(await applyWorkload(step, context(shop))).toMatchObject({ kind: "Superseded" });
    expect(await observeWorkload(step, context(shop), 0)).toMatchObject({ kind: "Superseded" });
    expect(shop.patches).toEqual([]);
  });

  it("has a digest of its own, and the way back leads to what was live", async () => {
    const shop = changed();
    const step = await planned(shop, pin);
    const other = await planned(shop, { revision: 1 });

    expect(step.digest).not.toBe(other.digest);
    await applyWorkload(step, context(shop));
    const next = { revision: 3, image: "web:v1", annotations: { team: "core" } };
    shop.replicaSets = [...CHANGED, next].map(replicaSetOf);
    const progress = await observeWorkload(step, context(shop), 0);
    if (progress.kind !== "Done") throw new Error(progress.message);
    const back = reverseWorkload(step, progress.after ?? {});
    expect(await applyWorkload(back, context(shop))).toEqual({ kind: "Applied", alreadyThere: false });
    expect(shop.deployment?.spec.template).toEqual(deploymentOf(CHANGED).spec.template);
  });
});

describe("observing", () => {
  it("tells the restored version from another one", async () => {
    const shop = world();
    const step = await planned(shop);

    expect(await observeWorkload(step, context(shop), 0)).toMatchObject({ kind: "Superseded" });
    await applyWorkload(step, context(shop));
    expect(await observeWorkload(step, context(shop), 0)).toMatchObject({ kind: "Done" });
    release(shop, "web:v9");
    expect(await observeWorkload(step, context(shop), 0)).toMatchObject({ kind: "Superseded" });
  });

  it("bears a young pod's failed pull, and a condition of before, but not for ever", async () => {
    const shop = world();
    const step = await planned(shop);
    await applyWorkload(step, context(shop));
    const now = Date.parse("2026-01-01T01:00:00Z");
    const { deployment } = shop;
    if (deployment === undefined) throw new Error("gone");
    const condition = {
      type: "Progressing",
      status: "False",
      reason: "ProgressDeadlineExceeded",
      lastUpdateTime: "2026-01-01T00:30:00Z",
    };
    shop.deployment = {
      ...deployment,
      status: { ...deployment.status, availableReplicas: 0, conditions: [condition] },
    };
    const waiting = { reason: "ErrImagePull", message: "no such image" };
    shop.pods = [
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name: "web-1",
          namespace: "shop",
          uid: "p",
          resourceVersion: "1",
          creationTimestamp: "2026-01-01T00:59:55Z",
          ownerReferences: [
            {
              apiVersion: "apps/v1",
              kind: "ReplicaSet",
              name: "r",
              uid: step.to.uid ?? "",
              controller: true,
            },
          ],
        },
        spec: { containers: [] },
        status: {
          containerStatuses: [
            { name: "app", ready: false, restartCount: 0, image: "", imageID: "", state: { waiting } },
          ],
        },
      },
    ];
    const at = (time: number) => ({ ...context(shop), now: time, appliedAt: now - 20 * 60_000 });

    expect(await observeWorkload(step, at(now), 10_000)).toMatchObject({
      kind: "InProgress",
      message: expect.stringContaining("ErrImagePull: no such image"),
    });
    expect(await observeWorkload(step, at(now + 5_000), 10_000)).toMatchObject({
      kind: "Failed",
      reason: "Stuck",
    });
  });
});
