import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import {
  addBudget,
  imageOfSet,
  isReady,
  removeBudget,
  revisionLabel,
  setsOf,
  type Sets,
} from "../support/sets.ts";
import { openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

describe("pods of a StatefulSet that is rolled back", () => {
  let world: World;
  let operator: OperatorProcess;

  beforeAll(async () => {
    world = await startWorld();
    operator = await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  async function open(namespace: string): Promise<{ readonly shop: Shop; readonly sets: Sets }> {
    const shop = await openShop(world, namespace);
    return { shop, sets: setsOf(world, shop, "StatefulSet") };
  }

  function ask(shop: Shop, request: string, to: PartialSpec, spec: PartialSpec = {}, name = "db") {
    const workload = { kind: "StatefulSet", name, to };
    return shop.ask(request, {}, { steps: [{ name: "app", workload }], ...spec });
  }

  describe("OrderedReady", () => {
    it(
      "a broken pod of the bad release is replaced, by us alone: the controller never does",
      async () => {
        const { shop, sets } = await open("sts-stuck");
        for (const name of ["ours", "theirs"]) {
          await sets.open(name);
          await sets.release("web:crash", name);
          await until(
            "the bad release is stuck at its first pod",
            () => sets.pods(name),
            (pods) => pods.length === 3 && !isReady(pods[2]!),
          );
        }
        const bad = (await sets.pods("ours")).map(({ metadata }) => metadata.uid);

        await world.kubectl(["rollout", "undo", "sts/theirs", "-n", shop.namespace]);
        await ask(shop, "undo", { strategy: "Previous" }, {}, "ours");
        const ended = await shop.ended("undo");

        expect(readyOf(ended).reason).toBe("RolledBack");
        expect((await sets.pods("ours")).map(isReady)).toEqual([true, true, true]);
        const now = (await sets.pods("ours")).map(({ metadata }) => metadata.uid);
        expect(now.map((uid, index) => uid === bad[index])).toEqual([true, true, false]);
        expect(await sets.podActs()).toEqual(["delete ours-2"]);
        // The trap is real: kubectl's undo of the twin is still stuck where it was.
        expect((await sets.pods("theirs")).map(isReady)).toEqual([true, true, false]);
      },
      TEST_MS,
    );

    it(
      "only pods at or above the partition are touched, and the plan says so",
      async () => {
        const { shop, sets } = await open("sts-partition");
        await sets.open("db", {
          updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } },
          podManagementPolicy: "Parallel",
        });
        // Pod 0 stays at v1 by the partition; the others are released.
        await sets.release("web:v2");
        await until(
          "pods above the partition are new",
          () => sets.live(),
          ({ status }) => (status as { updatedReplicas?: number } | undefined)?.updatedReplicas === 2,
        );
        const [kept] = await sets.pods();

        await ask(shop, "undo", { strategy: "Previous" });
        const ended = await shop.ended("undo");

        expect(readyOf(ended).reason).toBe("RolledBack");
        expect(ended.status?.plan?.steps[0]?.warnings).toContainEqual(
          "partition 1: the 1 pods of the lowest ordinals keep the revision they have",
        );
        const pods = await sets.pods();
        expect(pods[0]?.metadata.uid).toBe(kept?.metadata.uid);
        expect(new Set(pods.map(({ spec }) => spec.containers[0]?.image))).toEqual(new Set(["web:v1"]));
        expect(await sets.podActs()).toEqual([]);
        expect(
          ended.status?.checks?.map(({ name, outcome, value }) => `${name} ${outcome} ${value}`),
        ).toEqual(["pods Passed 2/2 ready", expect.stringMatching(/^version Passed [a-z0-9]+ on 2 pods$/)]);
      },
      TEST_MS,
    );

    it(
      "a broken pod below the partition is left alone",
      async () => {
        const { shop, sets } = await open("sts-below");
        await sets.open();
        await sets.release("web:crash");
        await until(
          "stuck",
          () => sets.pods(),
          (pods) => pods.length === 3 && !isReady(pods[2]!),
        );
        const path = "/spec/updateStrategy/rollingUpdate/partition";
        await sets.edit([{ op: "replace", path, value: 3 }]);

        await ask(shop, "undo", { strategy: "Previous" }, { deadline: "3s" });
        expect(readyOf(await shop.ended("undo"))).toEqual({
          reason: "DeadlineExceeded",
          message: expect.stringContaining("0/0 updated, 2/3 available"),
        });

        expect(imageOfSet(await sets.live())).toBe("web:v1");
        expect(await sets.podActs()).toEqual([]);
      },
      TEST_MS,
    );

    it(
      "the kill switch holds the deletion, not the request; released, it goes on",
      async () => {
        const { shop, sets } = await open("sts-switch");
        await sets.open();
        await sets.release("web:crash");
        await until(
          "stuck",
          () => sets.pods(),
          (pods) => pods.length === 3 && !isReady(pods[2]!),
        );
        await forbidDeletion(shop);
        await ask(shop, "undo", { strategy: "Previous" });
        const held = await until(
          "the deletion is refused to the executor",
          () => shop.request("undo"),
          (request) => readyOf(request).message.includes("pod db-2 stays"),
        );
        expect(held.status?.phase).toBe("Applying");
        expect(await sets.podActs()).toEqual([]);

        const off = { kind: "ConfigMap", apiVersion: "v1", metadata: killSwitchKey, data: { stop: "true" } };
        await world.kubectl(["apply", "-f", "-"], JSON.stringify(off));
        await until(
          "the switch is seen",
          () => shop.request("undo"),
          (request) => readyOf(request).reason === "KillSwitch",
        );
        const admission = "validatingadmissionpolicybinding,validatingadmissionpolicy";
        await world.kubectl(["delete", admission, "no-deletion"]);
        await until(
          "admission allows",
          () => tryDeletion(shop),
          ({ code }) => code === 0,
        );
        // Two looks later nothing was deleted still: only looking went on.
        await until("a later look", () => Promise.resolve(Date.now()), elapsed(3_000));
        expect(await sets.podActs()).toEqual([]);

        await world.kubectl(["delete", "configmap", killSwitchKey.name, "-n", killSwitchKey.namespace]);
        expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
        expect(await sets.podActs()).toEqual(["delete db-2"]);
      },
      TEST_MS,
    );

    const killSwitchKey = { namespace: "rollback-system", name: "rollback-kill-switch" };

    /** Admission that refuses the executor's deletions of pods, so that the request can be met in between. */
    async function forbidDeletion(shop: Shop): Promise<void> {
      const apiVersion = "admissionregistration.k8s.io/v1";
      const metadata = { name: "no-deletion" };
      const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["DELETE"], resources: ["pods"] };
      const expression = `request.userInfo.username != '${shop.executor}'`;
      const policy = {
        apiVersion,
        kind: "ValidatingAdmissionPolicy",
        metadata,
        spec: {
          matchConstraints: { resourceRules: [rule] },
          validations: [{ expression, message: "not now", reason: "Forbidden" }],
        },
      };
      const binding = {
        apiVersion,
        kind: "ValidatingAdmissionPolicyBinding",
        metadata,
        spec: { policyName: "no-deletion", validationActions: ["Deny"] },
      };
      for (const object of [policy, binding])
        await world.kubectl(["apply", "-f", "-"], JSON.stringify(object));
      await until(
        "admission refuses",
        () => tryDeletion(shop),
        ({ stderr }) => stderr.includes("not now"),
      );
    }

    function tryDeletion({ namespace, executor }: Shop) {
      const as = `--as=${executor}`;
      return world.kubectl.attempt(["delete", "pod", "db-0", "--dry-run=server", as, "-n", namespace]);
    }

    function elapsed(ms: number): (now: number) => boolean {
      const start = Date.now();
      return (now) => now - start >= ms;
    }
  });

  it(
    "Parallel needs no help",
    async () => {
      const { shop, sets } = await open("sts-parallel");
      await sets.open("db", { podManagementPolicy: "Parallel" });
      await sets.release("web:crash");
      await until(
        "a bad pod is there",
        () => sets.pods(),
        (pods) => pods.length === 3 && !isReady(pods[2]!),
      );

      await ask(shop, "undo", { strategy: "Previous" });

      expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
      expect((await sets.pods()).map(isReady)).toEqual([true, true, true]);
      expect(await sets.podActs()).toEqual([]);
    },
    TEST_MS,
  );

  describe("OnDelete", () => {
    it(
      "pods are evicted one by one, the highest ordinal first, each only when the one before is available again",
      async () => {
        const { shop, sets } = await open("sts-ondelete");
        await sets.open("db", { updateStrategy: { type: "OnDelete" }, minReadySeconds: 1 });
        await sets.release("web:v2");
        await world.kubectl(["delete", "pod", "db-0", "db-1", "db-2", "-n", shop.namespace]);
        await sets.settled();
        const before = await sets.pods();

        await ask(shop, "undo", { strategy: "Previous" });
        const ended = await shop.ended("undo");

        expect(readyOf(ended).reason).toBe("RolledBack");
        expect(ended.status?.plan?.steps[0]?.warnings).toContainEqual(
          expect.stringContaining("updateStrategy OnDelete: pods of other revisions are evicted one by one"),
        );
        expect(await sets.podActs()).toEqual(["evict db-2", "evict db-1", "evict db-0"]);
        const pods = await sets.pods();
        expect(pods.map(({ spec }) => spec.containers[0]?.image)).toEqual(Array(3).fill("web:v1"));
        expect(before.map(({ spec }) => spec.containers[0]?.image)).toEqual(Array(3).fill("web:v2"));
        // One after the other, with minReadySeconds between: the ages say so.
        const born = pods.map(({ metadata }) => Date.parse(metadata.creationTimestamp)).toReversed();
        expect(born[1]! - born[0]!).toBeGreaterThanOrEqual(1_000);
        expect(born[2]! - born[1]!).toBeGreaterThanOrEqual(1_000);
      },
      TEST_MS,
    );

    it(
      "a disruption budget is waited for, by its name",
      async () => {
        const { shop, sets } = await open("sts-budget");
        await sets.open("db", { updateStrategy: { type: "OnDelete" }, replicas: 2 });
        await sets.release("web:v2");
        await world.kubectl(["delete", "pod", "db-1", "-n", shop.namespace]);
        await until(
          "db-1 is new",
          () => sets.pods(),
          (pods) =>
            pods.length === 2 && pods.every(isReady) && revisionLabel(pods[0]!) !== revisionLabel(pods[1]!),
        );
        await addBudget(world, shop.namespace, "db", 2);

        await ask(shop, "undo", { strategy: "Previous" });
        const held = await until(
          "the eviction waits",
          () => shop.request("undo"),
          (request) => readyOf(request).message.includes("eviction of pod db-1 waits"),
        );
        expect(readyOf(held).message).toContain("db-budget");
        expect(held.status?.phase).toBe("Applying");
        expect(await sets.podActs()).toEqual([]);
        await removeBudget(world, shop.namespace, "db");

        expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
        expect(await sets.podActs()).toEqual(["evict db-1"]);
      },
      TEST_MS,
    );

    it(
      "an operator that is killed between two evictions leaves the rest to the next one, and none is made twice",
      async () => {
        const { shop, sets } = await open("sts-killed");
        await sets.open("db", { updateStrategy: { type: "OnDelete" }, replicas: 2 });
        await sets.release("web:v2");
        await world.kubectl(["delete", "pod", "db-0", "db-1", "-n", shop.namespace]);
        await sets.settled();
        await addBudget(world, shop.namespace, "db", 2);
        await ask(shop, "undo", { strategy: "Previous" });
        await until(
          "the eviction waits",
          () => shop.request("undo"),
          (request) => readyOf(request).message.includes("waits: PodDisruptionBudget"),
        );

        await operator.kill();
        await removeBudget(world, shop.namespace, "db");
        operator = await world.operator();

        expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
        expect(await sets.podActs()).toEqual(["evict db-1", "evict db-0"]);
        expect(await sets.acts()).toHaveLength(1);
      },
      TEST_MS,
    );

    it(
      "an abort ends the evictions",
      async () => {
        const { shop, sets } = await open("sts-abort");
        await sets.open("db", { updateStrategy: { type: "OnDelete" }, replicas: 2 });
        await addBudget(world, shop.namespace, "db", 2);
        await sets.release("web:v2");
        await world.kubectl(["delete", "pod", "db-0", "db-1", "-n", shop.namespace]);
        await until(
          "all are new",
          () => sets.live(),
          ({ status }) => (status as { updatedReplicas?: number } | undefined)?.updatedReplicas === 2,
        );
        await ask(shop, "undo", { strategy: "Previous" });
        await until(
          "the eviction waits",
          () => shop.request("undo"),
          (request) => readyOf(request).message.includes("waits: PodDisruptionBudget"),
        );

        await shop.annotate("undo", { "rollback.llm-research-lab.io/abort": "true" });
        expect((await shop.ended("undo")).status?.phase).toBe("Aborted");
        await removeBudget(world, shop.namespace, "db");

        expect(await sets.podActs()).toEqual([]);
        expect(imageOfSet(await sets.live())).toBe("web:v1");
      },
      TEST_MS,
    );
  });

  it("wrote only statuses that waiters can read", async () => {
    const versions = await storedVersions(world.controlPlane.auditLogPath);
    expect(versions.length).toBeGreaterThan(20);
    expect(statusComplaints(versions)).toEqual([]);
  });
});
