import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { PodTemplateSpec } from "../../src/kube/well-known.ts";
import { controllerRevisionType, type ControllerRevision } from "../../src/kube/workload-types.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOfSet, revisionLabel, setsOf, type Sets } from "../support/sets.ts";
import { container, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

describe("a request to undo a release of a StatefulSet", () => {
  const { signal } = new AbortController();
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
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

  it.each([
    ["the last revision", [], { strategy: "Previous" }],
    ["a revision by number", ["--to-revision=1"], { revision: 1 }],
  ])(
    "%s: the same as kubectl rollout undo makes of a twin, and nothing else of the spec changes",
    async (_, flags, to) => {
      const { shop, sets } = await open(`sts-twin-${flags.length}`);
      const { namespace } = shop;
      for (const name of ["ours", "theirs"]) {
        await sets.open(name, { revisionHistoryLimit: 7 });
        await world.kubectl(["annotate", "sts", name, "-n", namespace, "team/pager=core"]);
        await sets.release(container({ image: "web:v2", env: [{ name: "A", value: "1" }] }), name);
        await sets.settled(name);
        await sets.release(container({ image: "web:v3", args: ["--fast"] }), name);
        await sets.settled(name);
      }

      await world.kubectl(["rollout", "undo", "sts/theirs", "-n", namespace, ...flags]);
      await world.kubectl(["rollout", "status", "sts/theirs", "-n", namespace, "--timeout=20s"]);
      const before = await sets.live("ours");
      await ask(shop, "undo", to, {}, "ours");
      const ended = await shop.ended("undo");

      const [ours, theirs] = await Promise.all([sets.live("ours"), sets.live("theirs")]);
      expect(readyOf(ended)).toEqual({ reason: "RolledBack", message: expect.stringContaining("verified") });
      expect(withoutName(ours.spec.template)).toEqual(withoutName(theirs.spec.template));
      expect({ ...ours.spec, template: null }).toEqual({ ...before.spec, template: null });
      expect(ours.metadata.annotations).toEqual({ "team/pager": "core" });
      const numbers = async (name: string) => (await sets.revisions(name)).map(({ revision }) => revision);
      expect(await numbers("ours")).toEqual(await numbers("theirs"));
      const live = (await sets.revisions("ours")).at(-1);
      expect(ended.status?.steps?.[0]?.after).toMatchObject({
        uid: live?.metadata.uid,
        revision: 4,
        name: live?.metadata.name,
      });
      expect((await sets.pods("ours")).map(revisionLabel)).toEqual(Array(3).fill(live?.metadata.name));
      expect(await sets.acts("ours")).toMatchObject([{ verb: "patch" }]);
      expect(await sets.podActs()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "never goes forward again, knows from its own record where a number went, and lists what is kept otherwise",
    async () => {
      const { shop, sets } = await open("sts-numbers");
      await sets.open();
      for (const version of ["v2", "v3"]) {
        await sets.release(`web:${version}`);
        await sets.settled();
      }
      await ask(shop, "first", { strategy: "Previous" });
      expect((await shop.ended("first")).status?.phase).toBe("Succeeded");
      await ask(shop, "again", { strategy: "Previous" });
      expect(readyOf(await shop.ended("again"))).toEqual({
        reason: "NothingToDo",
        message: expect.stringContaining("already rolled back by first"),
      });
      await ask(shop, "live", { revision: 2 });
      expect(readyOf(await shop.ended("live"))).toEqual({
        reason: "NothingToDo",
        message: expect.stringContaining("revision 2 is live already, as revision 4"),
      });
      await sets.release("web:v4");
      await sets.settled();

      await ask(shop, "renumbered", { revision: 2 });
      expect(readyOf(await shop.ended("renumbered"))).toEqual({
        reason: "RevisionNotFound",
        message: expect.stringContaining("revision 2 is now revision 4"),
      });
      await ask(shop, "unknown", { revision: 9 });
      expect(readyOf(await shop.ended("unknown"))).toEqual({
        reason: "RevisionNotFound",
        message: expect.stringContaining("kept: 1, 3, 4, 5; revisionHistoryLimit 10"),
      });
      expect(await sets.acts()).toHaveLength(1);
    },
    TEST_MS,
  );

  it(
    "compares what templates mean, not their bytes: a history entry without the server's defaults",
    async () => {
      const { shop, sets } = await open("sts-semantic");
      const { namespace } = shop;
      await sets.open("db", { replicas: 1 });
      for (const version of ["v2", "v3"]) {
        await sets.release(`web:${version}`);
        await sets.settled();
      }
      await replaceHistory(1, "db-other", "web:v7");
      await replaceHistory(2, "db-same", "web:v3");
      const before = await sets.live();

      await ask(shop, "same", { revision: 2 });

      expect(readyOf(await shop.ended("same"))).toEqual({
        reason: "NothingToDo",
        message: expect.stringContaining("the live template already matches revision 2"),
      });
      expect(await sets.acts()).toEqual([]);
      // kubectl compares bytes and sends a patch that changes nothing.
      const undo = ["rollout", "undo", "sts/db", "--to-revision=2", "-n", namespace];
      expect(await world.kubectl(undo)).toContain("statefulset.apps/db rolled back");
      expect((await sets.live()).metadata.generation).toBe(before.metadata.generation);

      await ask(shop, "other", { revision: 1 });
      const { status } = await shop.ended("other");
      expect(imageOfSet(await sets.live())).toBe("web:v7");
      expect(status?.phase).toBe("Succeeded");
      // The controller records the completed template as a revision of its own: that is what ours became.
      const newest = (await sets.revisions()).at(-1);
      expect(newest?.metadata.name).not.toBe("db-other");
      expect(status?.steps?.[0]?.after).toMatchObject({
        uid: newest?.metadata.uid,
        revision: newest?.revision,
      });

      /** In place of what the controller wrote: the same fields as people write them, nothing filled in. */
      async function replaceHistory(revision: number, name: string, image: string): Promise<void> {
        const old = (await sets.revisions()).find((each) => each.revision === revision);
        const { labels = {}, ownerReferences = [], name: oldName = "" } = old?.metadata ?? {};
        const template = {
          metadata: { labels: { app: "db" } },
          spec: { tolerations: [{ operator: "Exists" }], containers: [{ image, name: "app" }] },
        };
        await world.client.delete(controllerRevisionType, { namespace, name: oldName }, { signal });
        await world.client.create<ControllerRevision>(
          controllerRevisionType,
          {
            metadata: { namespace, name, labels, ownerReferences },
            revision,
            data: { spec: { template: { $patch: "replace", ...template } as PodTemplateSpec } },
          },
          { signal },
        );
      }
    },
    TEST_MS,
  );

  it(
    "waits for availability with minReadySeconds, and for the only revision: kubectl says done before",
    async () => {
      const { shop, sets } = await open("sts-minready");
      await sets.open("db", { minReadySeconds: 2, replicas: 1 });
      await sets.release("web:v2");
      await sets.settled();

      await ask(shop, "undo", { strategy: "Previous" });
      const { status } = await shop.ended("undo");

      expect(status?.phase).toBe("Succeeded");
      const { appliedAt = "", finishedAt = "" } = status?.steps?.[0] ?? {};
      expect(Date.parse(finishedAt) - Date.parse(appliedAt)).toBeGreaterThanOrEqual(1_000);
    },
    TEST_MS,
  );

  it(
    "refuses without the rights that a StatefulSet needs, and names them",
    async () => {
      const shop = await openShop(world, "sts-rights", { executor: false });
      const { namespace } = shop;
      const sets = setsOf(world, shop, "StatefulSet");
      await world.kubectl(["create", "sa", "rollback-executor", "-n", namespace]);
      await world.kubectl([
        "create",
        "role",
        "few",
        "--verb=get,list,patch",
        "--resource=deployments.apps,replicasets.apps,statefulsets.apps,controllerrevisions.apps,pods",
        "-n",
        namespace,
      ]);
      await world.kubectl([
        "create",
        "rolebinding",
        "few",
        "--role=few",
        `--serviceaccount=${namespace}:rollback-executor`,
        "-n",
        namespace,
      ]);
      await sets.open("db", { replicas: 1 });
      await sets.release("web:v2");
      await shop.open();
      await shop.release("web:v2");

      await ask(shop, "undo", { strategy: "Previous" });
      const { reason, message } = readyOf(await shop.ended("undo"));
      expect(reason).toBe("AccessDenied");
      expect(message).toContain(
        '- {apiGroups: [""], resources: ["pods"], verbs: ["delete"]}\n- {apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"]}',
      );
      // The same executor is good for Deployments.
      await shop.ask("deployment", { strategy: "Previous" });
      expect(readyOf(await shop.ended("deployment")).reason).toBe("RolledBack");
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
