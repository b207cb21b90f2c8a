import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { ROLLBACK_LEDGERS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { leaseType } from "../../src/kube/well-known.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const LONG = { verification: { settle: "0s", soak: "2m", interval: "1s" } };

interface ConfigMapObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const CONFIG_MAPS = defineResource<ConfigMapObject>({
  apiVersion: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  namespaced: true,
});

describe("the life of a request", () => {
  const signal = new AbortController().signal;
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** web:v1, web:v2 and, live, web:v3. */
  async function threeReleases(namespace: string, first = "web:v1"): Promise<Shop> {
    const shop = await openShop(world, namespace);
    await shop.open("web", {
      template: (template) => ({ ...template, spec: { containers: [{ name: "app", image: first }] } }),
    });
    await shop.release("web:v2");
    await shop.release("web:v3");
    return shop;
  }

  async function ledgerOf({ namespace }: Shop) {
    const { items } = await world.client.list(ROLLBACK_LEDGERS, { namespace, signal });
    return items[0]?.spec;
  }

  /** Names of requests that hold a target's lock. */
  async function lockHolders(namespace: string): Promise<readonly string[]> {
    const { items } = await world.client.list(leaseType, { namespace: "rollback-system", signal });
    return items
      .map(({ spec }) => spec?.holderIdentity?.split("/") ?? [])
      .filter(([of]) => of === namespace)
      .map(([, name = ""]) => name);
  }

  async function isGone(shop: Shop, name: string): Promise<void> {
    await until(
      `RollbackRequest ${name} is gone`,
      () => world.kubectl.attempt(["get", "rbr", name, "-n", shop.namespace]),
      ({ stderr }) => stderr.includes("NotFound"),
    );
  }

  /** Requests whose status a test wrote by hand: its history is not the operator's. */
  const edited = new Set<string>();

  describe("made again under its name", () => {
    it(
      "with the same spec: the outcome is repeated, nothing is done",
      async () => {
        const shop = await threeReleases("replay");
        const { metadata } = await shop.ask("undo", { strategy: "Previous" });
        await shop.ended("undo");
        await shop.remove("undo");
        await shop.release("web:v4");
        const before = await shop.live();

        await shop.ask("undo", { strategy: "Previous" });

        const again = await shop.ended("undo");
        // Another version is live: to repeat the success would be untrue.
        expect(again.status?.phase).toBe("Superseded");
        expect(readyOf(again)).toEqual({
          reason: "AlreadyExecuted",
          message: expect.stringMatching(
            new RegExp(
              `ran at \\S+Z as ${metadata.uid} and ended Succeeded; since then revision 5 was released; nothing done now; use a new name`,
            ),
          ),
        });
        expect((await shop.live()).metadata.generation).toBe(before.metadata.generation);
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );

    it(
      "or with its status emptied: the outcome is repeated, nothing is done",
      async () => {
        const shop = await threeReleases("emptied");
        await shop.ask("undo", { strategy: "Previous" });
        const { status: _, ...done } = await shop.ended("undo");
        await shop.release("web:v4");
        const before = await shop.live();

        edited.add(done.metadata.uid);
        // What a restore, or a tool that copies objects, leaves of a status.
        await world.kubectl(
          ["replace", "--subresource=status", "-f", "-"],
          JSON.stringify({ ...done, metadata: { ...done.metadata, resourceVersion: undefined }, status: {} }),
        );

        const again = await until(
          "ended again",
          () => shop.request("undo"),
          ({ status }) => status?.phase !== undefined,
        );
        expect(readyOf(again).reason).toBe("AlreadyExecuted");
        expect((await shop.live()).metadata.generation).toBe(before.metadata.generation);
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );

    it(
      "with another spec: it runs",
      async () => {
        const shop = await threeReleases("replay-other");
        await shop.ask("undo", { strategy: "Previous" });
        await shop.ended("undo");
        await shop.remove("undo");

        await shop.ask("undo", { revision: 1 });

        expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
        expect(imageOf(await shop.live())).toBe("web:v1");
        expect(await shop.acts()).toHaveLength(2);
      },
      TEST_MS,
    );

    it(
      "after a refusal: it is tried, for nothing was done",
      async () => {
        const shop = await threeReleases("replay-refused");
        await shop.edit([{ op: "add", path: "/spec/paused", value: true }]);
        await shop.ask("undo", { strategy: "Previous" });
        expect(readyOf(await shop.ended("undo")).reason).toBe("Paused");
        await shop.remove("undo");
        await shop.edit([{ op: "remove", path: "/spec/paused" }]);

        await shop.ask("undo", { strategy: "Previous" });

        expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
      },
      TEST_MS,
    );
  });

  it(
    "a dry run shows the plan, changes nothing and leaves no trace",
    async () => {
      const shop = await threeReleases("dry-run");
      const before = await shop.live();

      await shop.ask("look", { strategy: "Previous" }, { dryRun: true });

      const ended = await shop.ended("look");
      expect(ended.status).toMatchObject({
        phase: "Succeeded",
        plan: { steps: [{ from: { revision: 3 }, to: { revision: 2 } }] },
      });
      expect(ended.status?.steps).toBeUndefined();
      expect(readyOf(ended).message).toBe(
        "nothing was changed: Deployment/web revision 3 (web:v3) -> revision 2 (web:v2)",
      );
      expect((await shop.live()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
      expect(await shop.acts()).toEqual([]);
      expect(await ledgerOf(shop)).toBeUndefined();
    },
    TEST_MS,
  );

  describe("aborted", () => {
    const abort = { "rollback.llm-research-lab.io/abort": "true" };

    it(
      "before anything was changed",
      async () => {
        const shop = await threeReleases("abort-before");
        await shop.ask("first", { strategy: "Previous" }, LONG);
        await shop.reaches("first", "Verifying");
        await shop.ask("second", { revision: 1 });
        await shop.reaches("second", "Pending");

        await shop.annotate("second", abort);

        const second = await shop.ended("second");
        expect(second.status?.phase).toBe("Aborted");
        expect(readyOf(second).message).toBe("aborted before anything was changed");
        expect(imageOf(await shop.live())).toBe("web:v2");

        // And during the verification: what was changed stays.
        await shop.annotate("first", abort);
        const first = await shop.ended("first");
        expect(first.status?.phase).toBe("Aborted");
        expect(readyOf(first).message).toContain("after the change was stored, which stays");
        expect(first.status?.steps?.[0]?.state).toBe("Succeeded");
        expect(imageOf(await shop.live())).toBe("web:v2");
        expect(await lockHolders(shop.namespace)).toEqual([]);
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );

    it(
      "while the old version comes up: the change stays, and the next request does not go forward again",
      async () => {
        const shop = await threeReleases("abort-applying", "web:slow");
        await shop.ask("undo", { revision: 1 });
        await until("it is applied", () => shop.request("undo"), isApplied);

        await shop.annotate("undo", abort);

        const ended = await shop.ended("undo");
        expect(ended.status?.phase).toBe("Aborted");
        expect(readyOf(ended).message).toContain("after the change was stored, which stays");
        expect(imageOf(await shop.live())).toBe("web:slow");
        expect(await lockHolders(shop.namespace)).toEqual([]);
        expect((await ledgerOf(shop))?.executed).toMatchObject([{ name: "undo", outcome: "Aborted" }]);
        await shop.ask("next", { strategy: "Previous" });
        expect(readyOf(await shop.ended("next"))).toEqual({
          reason: "NothingToDo",
          message: expect.stringContaining("already rolled back by undo"),
        });
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );
  });

  describe("deleted", () => {
    it(
      "while it runs: recorded, then gone; nothing is undone",
      async () => {
        const shop = await threeReleases("delete-running", "web:slow");
        const { metadata } = await shop.ask("undo", { revision: 1 });
        const running = await until("it is applied", () => shop.request("undo"), isApplied);
        expect(running.metadata.finalizers).toEqual(["rollback.llm-research-lab.io/running"]);

        await shop.remove("undo");

        await isGone(shop, "undo");
        expect(imageOf(await shop.live())).toBe("web:slow");
        expect(await shop.acts()).toHaveLength(1);
        expect(await lockHolders(shop.namespace)).toEqual([]);
        expect((await ledgerOf(shop))?.executed).toMatchObject([
          { name: "undo", uid: metadata.uid, outcome: "Aborted" },
        ]);
        await shop.ask("undo", { revision: 1 });
        const again = await shop.ended("undo");
        expect(again.status?.phase).toBe("Aborted");
        expect(readyOf(again).reason).toBe("AlreadyExecuted");
      },
      TEST_MS,
    );

    it(
      "while it waits: the one before it does not care",
      async () => {
        const shop = await threeReleases("delete-waiting");
        await shop.ask("first", { strategy: "Previous" });
        await shop.reaches("first", "Verifying");
        await shop.ask("second", { revision: 1 });
        expect((await shop.reaches("second", "Pending")).metadata.finalizers).toBeUndefined();
        await shop.remove("second");
        await isGone(shop, "second");

        expect((await shop.ended("first")).status?.phase).toBe("Succeeded");
        expect(imageOf(await shop.live())).toBe("web:v2");
      },
      TEST_MS,
    );

    it(
      "with its whole namespace, while it runs: the namespace can go",
      async () => {
        const shop = await threeReleases("delete-namespace", "web:slow");
        await shop.ask("undo", { revision: 1 });
        await until("it is applied", () => shop.request("undo"), isApplied);

        await world.kubectl(["delete", "namespace", shop.namespace, "--timeout=30s"]);

        await until(
          "its lock is gone",
          () => lockHolders(shop.namespace),
          (names) => names.length === 0,
        );
      },
      TEST_MS,
    );
  });

  it(
    "meant for another live state than there is: Superseded",
    async () => {
      const shop = await threeReleases("expect");
      const sets = await shop.replicaSets();
      const hashOf = (image: string) =>
        sets.find((set) => set.spec.template.spec.containers[0]?.image === image)?.metadata.labels?.[
          "pod-template-hash"
        ];

      await shop.ask("meant-v2", { revision: 1 }, { expect: { podTemplateHash: hashOf("web:v2") } });
      const other = await shop.ended("meant-v2");
      expect(other.status?.phase).toBe("Superseded");
      expect(readyOf(other).message).toContain(`runs revision 3 (${hashOf("web:v3")}), not the expected`);
      expect(await shop.acts()).toEqual([]);

      await shop.ask("meant-v3", { revision: 1 }, { expect: { podTemplateHash: hashOf("web:v3") } });
      expect((await shop.ended("meant-v3")).status?.phase).toBe("Succeeded");
    },
    TEST_MS,
  );

  it(
    "the kill switch refuses new requests, stops one before its next write, and lets a verification end",
    async () => {
      const shop = await threeReleases("kill-switch");
      await shop.ask(
        "verifying",
        { strategy: "Previous" },
        { verification: { settle: "2s", soak: "2s", interval: "1s" } },
      );
      await shop.reaches("verifying", "Verifying");
      await shop.ask("waiting", { revision: 1 });
      await shop.reaches("waiting", "Pending");

      const key = { namespace: "rollback-system", name: "rollback-kill-switch" };
      await world.client.create(CONFIG_MAPS, { metadata: key, data: { stop: "true" } }, { signal });

      const waiting = await shop.ended("waiting");
      expect(waiting.status?.phase).toBe("Failed");
      expect(readyOf(waiting)).toEqual({
        reason: "KillSwitch",
        message:
          'refused, nothing was changed: the kill switch is on (key "stop" of ConfigMap rollback-system/rollback-kill-switch is "true"): remove it to act again',
      });
      await shop.ask("new", { revision: 1 });
      expect(readyOf(await shop.ended("new")).reason).toBe("KillSwitch");
      expect(await shop.acts()).toHaveLength(1);

      await world.client.delete(CONFIG_MAPS, key, { signal });
      expect((await shop.ended("verifying")).status?.phase).toBe("Succeeded");
      const asked = async (attempt: number) => {
        await shop.ask(`off-${attempt}`, { revision: 1 });
        return readyOf(await shop.ended(`off-${attempt}`)).reason;
      };
      let attempts = 0;
      const reason = await until(
        "the switch is off",
        () => asked(attempts++),
        (last) => last !== "KillSwitch",
      );
      expect(reason).toBe("RolledBack");
    },
    TEST_MS,
  );

  describe("what only the cluster can tell", () => {
    it.each<readonly [string, string, PartialSpec, string, string]>([
      [
        "no-such-deployment",
        "an unknown Deployment",
        {},
        "TargetNotFound",
        "Deployment/web does not exist in namespace no-such-deployment",
      ],
      [
        "no-such-policy",
        "an unknown policy",
        { policyRef: { name: "api" }, steps: undefined },
        "PolicyNotFound",
        "RollbackPolicy api does not exist in this namespace",
      ],
    ])(
      "%s: %s ends it within seconds",
      async (namespace, _, spec, reason, message) => {
        const shop = await openShop(world, namespace);
        const { metadata } = await shop.ask("undo", { strategy: "Previous" }, spec);

        const ended = await shop.ended("undo");

        expect(readyOf(ended)).toEqual({ reason, message: expect.stringContaining(message) });
        expect(ended.status?.conditions).toMatchObject([
          { type: "Stalled", status: "True", reason },
          { type: "Ready", status: "False", reason },
          { type: "Verified", status: "Unknown" },
        ]);
        const at = ended.status?.conditions?.[0]?.lastTransitionTime ?? "";
        expect(Date.parse(at) - Date.parse(metadata.creationTimestamp)).toBeLessThan(3_000);
      },
      TEST_MS,
    );
  });

  it(
    "can be waited for from its first moment",
    async () => {
      const shop = await threeReleases("waited-for");
      await shop.ask("good", { strategy: "Previous" });
      const wait = (...args: string[]) =>
        world.kubectl.attempt(["wait", "rbr/good", "-n", shop.namespace, "--timeout=20s", ...args]);

      const [ready, verified] = await Promise.all([
        wait("--for=condition=Ready"),
        wait("--for=condition=Verified"),
      ]);

      expect([ready.code, verified.code]).toEqual([0, 0]);
      expect((await shop.request("good")).status?.phase).toBe("Succeeded");
      expect(imageOf(await shop.live())).toBe("web:v2");
      await shop.ask("bad", { revision: 77 });
      const stalled = await world.kubectl.attempt([
        "wait",
        "rbr/bad",
        "-n",
        shop.namespace,
        "--timeout=20s",
        "--for=condition=Stalled",
      ]);
      expect(stalled.code).toBe(0);
    },
    TEST_MS,
  );

  it("wrote only statuses that waiters can read", async () => {
    const versions = await storedVersions(world.controlPlane.auditLogPath);
    expect(statusComplaints(versions.filter(({ metadata }) => !edited.has(metadata.uid)))).toEqual([]);
  });
});

function isApplied({ status }: RollbackRequest): boolean {
  return status?.steps?.[0]?.state === "Applied";
}
