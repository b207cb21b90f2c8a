import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import {
  addBudget,
  addNodes,
  imageOfSet,
  isReady,
  removeBudget,
  revisionLabel,
  setsOf,
  type Sets,
} from "../support/sets.ts";
import { container, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const NODES = ["node-a", "node-b"];

describe("a request to undo a release of a DaemonSet", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    await addNodes(world, NODES);
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  async function open(namespace: string): Promise<{ readonly shop: Shop; readonly sets: Sets }> {
    const shop = await openShop(world, namespace);
    return { shop, sets: setsOf(world, shop, "DaemonSet") };
  }

  function ask(shop: Shop, request: string, to: PartialSpec, spec: PartialSpec = {}, name = "db") {
    const workload = { kind: "DaemonSet", name, to };
    return shop.ask(request, {}, { steps: [{ name: "app", workload }], ...spec });
  }

  it.each([
    ["the last revision", [], { strategy: "Previous" }],
    ["a revision by number", ["--to-revision=1"], { revision: 1 }],
  ])(
    "%s: the same as kubectl rollout undo makes of a twin",
    async (_, flags, to) => {
      const { shop, sets } = await open(`ds-twin-${flags.length}`);
      const { namespace } = shop;
      for (const name of ["ours", "theirs"]) {
        await sets.open(name);
        await world.kubectl(["annotate", "ds", name, "-n", namespace, "team/pager=core"]);
        await sets.release(container({ image: "web:v2", env: [{ name: "A", value: "1" }] }), name);
        await sets.settled(name);
        await sets.release(container({ image: "web:v3", args: ["--fast"] }), name);
        await sets.settled(name);
      }

      await world.kubectl(["rollout", "undo", "ds/theirs", "-n", namespace, ...flags]);
      await world.kubectl(["rollout", "status", "ds/theirs", "-n", namespace, "--timeout=20s"]);
      await ask(shop, "undo", to, {}, "ours");
      const ended = await shop.ended("undo");

      const [ours, theirs] = await Promise.all([sets.live("ours"), sets.live("theirs")]);
      expect(readyOf(ended)).toEqual({ reason: "RolledBack", message: expect.stringContaining("verified") });
      expect(withoutName(ours.spec.template)).toEqual(withoutName(theirs.spec.template));
      expect(ours.metadata.annotations).toEqual(theirs.metadata.annotations);
      const numbers = async (name: string) => (await sets.revisions(name)).map(({ revision }) => revision);
      expect(await numbers("ours")).toEqual(await numbers("theirs"));
      const live = (await sets.revisions("ours")).at(-1);
      expect(ended.status?.steps?.[0]?.after).toMatchObject({ uid: live?.metadata.uid, revision: 4 });
      expect(ended.status?.checks?.map(({ name, outcome, value }) => `${name} ${outcome} ${value}`)).toEqual([
        "pods Passed 2/2 ready",
        `version Passed ${live?.metadata.labels?.["controller-revision-hash"]} on 2 pods`,
      ]);
      expect(await sets.acts("ours")).toMatchObject([{ verb: "patch" }]);
      expect(await sets.podActs()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "a broken release is replaced by the controller itself; going back again is told apart from going forward",
    async () => {
      const { shop, sets } = await open("ds-broken");
      await sets.open();
      await sets.release("web:crash");
      await until(
        "a pod is broken",
        () => sets.pods(),
        (pods) => pods.length === 2 && pods.filter(isReady).length === 1,
      );

      await ask(shop, "undo", { strategy: "Previous" });
      expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
      await ask(shop, "again", { strategy: "Previous" });

      expect(readyOf(await shop.ended("again"))).toEqual({
        reason: "NothingToDo",
        message: expect.stringContaining("already rolled back by undo"),
      });
      expect((await sets.pods()).map(isReady)).toEqual([true, true]);
      expect(await sets.podActs()).toEqual([]);
      // The number it had is known from our own record only.
      await sets.release("web:v3");
      await ask(shop, "number", { revision: 1 });
      expect(readyOf(await shop.ended("number"))).toEqual({
        reason: "RevisionNotFound",
        message: expect.stringContaining("revision 1 is now revision 3"),
      });
    },
    TEST_MS,
  );

  it(
    "lists what a trimmed history still holds, and refuses what is not live any more",
    async () => {
      const { shop, sets } = await open("ds-trimmed");
      await sets.open("db", { revisionHistoryLimit: 1 });
      for (const version of ["v2", "v3"]) {
        await sets.release(`web:${version}`);
        await sets.settled();
      }
      const numbers = async () => (await sets.revisions()).map(({ revision }) => revision);
      await until("the oldest is trimmed", numbers, (kept) => !kept.includes(1));

      await ask(shop, "undo", { revision: 1 });
      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "RevisionNotFound",
        message: expect.stringContaining(
          "revision 1 is not in the history (kept: 2, 3; revisionHistoryLimit 1)",
        ),
      });
      await ask(shop, "other", { strategy: "Previous" }, { expect: { podTemplateHash: "abc" } });
      expect((await shop.ended("other")).status?.phase).toBe("Superseded");
      const hash = (await sets.revisions()).at(-1)?.metadata.labels?.["controller-revision-hash"];
      await ask(shop, "this", { strategy: "Previous" }, { expect: { podTemplateHash: hash } });
      expect(readyOf(await shop.ended("this")).reason).toBe("RolledBack");
    },
    TEST_MS,
  );

  describe("OnDelete", () => {
    it(
      "only pods of another revision are evicted, within their disruption budget",
      async () => {
        const { shop, sets } = await open("ds-budget");
        await sets.open("db", { updateStrategy: { type: "OnDelete" } });
        await sets.release("web:v2");
        const [first, second] = await sets.pods();
        await world.kubectl(["delete", "pod", second?.metadata.name ?? "", "-n", shop.namespace]);
        await until(
          "one pod is new, the other is old",
          () => sets.pods(),
          (pods) => pods.length === 2 && pods.every(isReady) && new Set(pods.map(revisionLabel)).size === 2,
        );
        await addBudget(world, shop.namespace, "db", 2);

        await ask(shop, "undo", { strategy: "Previous" });
        await until(
          "the eviction waits",
          () => shop.request("undo"),
          (request) => /eviction of pod db-\S+ waits.*db-budget/.test(readyOf(request).message),
        );
        expect(await sets.podActs()).toEqual([]);
        await removeBudget(world, shop.namespace, "db");

        expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
        const pods = await sets.pods();
        expect(pods.map(({ spec }) => spec.containers[0]?.image)).toEqual(["web:v1", "web:v1"]);
        expect(pods.map(({ metadata }) => metadata.uid)).toContain(first?.metadata.uid);
        expect(await sets.podActs()).toHaveLength(1);
      },
      TEST_MS,
    );

    it(
      "broken pods are evicted too, one by one",
      async () => {
        const { shop, sets } = await open("ds-all-broken");
        await sets.open("db", { updateStrategy: { type: "OnDelete" } });
        await sets.release("web:crash");
        const names = (await sets.pods()).map(({ metadata }) => metadata.name);
        await world.kubectl(["delete", "pod", ...names, "-n", shop.namespace]);
        await until(
          "both are broken",
          () => sets.pods(),
          (pods) =>
            pods.length === 2 &&
            pods.every((pod) => (pod.status?.containerStatuses ?? []).length > 0 && !isReady(pod)),
        );
        const broken = (await sets.pods()).map(({ metadata }) => `evict ${metadata.name}`);

        await ask(shop, "undo", { strategy: "Previous" });

        expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
        expect((await sets.pods()).map(isReady)).toEqual([true, true]);
        expect(imageOfSet(await sets.live())).toBe("web:v1");
        expect(await sets.podActs()).toEqual(broken);
      },
      TEST_MS,
    );
  });

  it(
    "waits for every node's pod to be available",
    async () => {
      const { shop, sets } = await open("ds-available");
      await sets.open("db", { minReadySeconds: 1 });
      await sets.release("web:v2");
      await sets.settled();

      await ask(shop, "undo", { strategy: "Previous" });
      const { status } = await shop.ended("undo");

      expect(status?.phase).toBe("Succeeded");
      expect(status?.steps?.[0]?.message).toBe("2/2 updated, 2/2 available");
      const live = await sets.live();
      expect(live.status).toMatchObject({ updatedNumberScheduled: 2, numberAvailable: 2 });
    },
    TEST_MS,
  );

  it("wrote only statuses that waiters can read", async () => {
    const versions = await storedVersions(world.controlPlane.auditLogPath);
    expect(versions.length).toBeGreaterThan(20);
    expect(statusComplaints(versions)).toEqual([]);
  });
});

/** The twins differ in nothing but the label with their name. */
function withoutName(template: object): unknown {
  return JSON.parse(JSON.stringify(template).replaceAll(/"app":"(ours|theirs)"/g, '"app":"twin"')) as unknown;
}
