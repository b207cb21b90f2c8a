import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { setsOf } from "../support/sets.ts";
import {
  container,
  imageOf,
  openShop,
  podSpec,
  readyOf,
  revisionNumber,
  sameStoredTemplate,
  type Shop,
} from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

/** Nothing serves its signal: it only says which images are allowed, and how a rollback is checked, in seconds. */
const policy = (allowedImages: readonly string[]) =>
  JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: { name: "web-policy" },
    spec: {
      target: { kind: "Deployment", name: "web" },
      serviceAccountName: "rollback-executor",
      signals: [{ name: "load", prometheus: { query: "up" } }],
      matrix: [{ name: "load", when: { signal: "load", above: "1", for: "1m" }, action: "Notify" }],
      allowedImages,
    },
  });

describe("a request to pin an image", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  function pin(image: string, name = "app") {
    return { image: { container: name, image } };
  }

  /** A release that broke two things: the image, and an argument that stays when only the image goes back. */
  async function withBadRelease(shop: Shop, name = "web"): Promise<void> {
    await shop.open(name);
    await shop.release(container({ image: "web:v2", args: ["--new-flag"] }), name);
  }

  it(
    "changes that image and nothing else, as kubectl set image does on a twin; the annotations stay",
    async () => {
      const shop = await openShop(world, "pin-twin");
      for (const name of ["ours", "theirs"]) {
        await withBadRelease(shop, name);
        await world.kubectl(["annotate", "deployment", name, "-n", shop.namespace, "team/pager=core"]);
      }

      await world.kubectl(["set", "image", "deployment/theirs", "app=web:v1", "-n", shop.namespace]);
      await shop.ask("undo", pin("web:v1"), {}, "ours");
      const { status } = await shop.ended("undo");

      const [ours, theirs] = await Promise.all([shop.live("ours"), shop.live("theirs")]);
      expect(status?.phase).toBe("Succeeded");
      expect(withoutName(ours.spec.template)).toEqual(withoutName(theirs.spec.template));
      expect(ours.spec.template.spec.containers[0]).toMatchObject({ args: ["--new-flag"] });
      expect(ours.metadata.annotations).toMatchObject({ "team/pager": "core" });
      expect(revisionNumber(ours)).toBe(3);
      const step = status?.plan?.steps[0];
      expect(step).toMatchObject({
        from: { revision: 2 },
        to: { images: ["web:v1"], image: { container: "app", image: "web:v1" } },
        changes: ["template.spec.containers[app].image"],
        warnings: ["only the image of container app changes; everything else of revision 2 stays"],
      });
      expect(step?.to).not.toHaveProperty("revision");
      const set = (await shop.replicaSets("ours")).find((each) => revisionNumber(each) === 3);
      expect(status?.steps?.[0]?.after).toMatchObject({ revision: 3, uid: set?.metadata.uid });
      expect(status?.conditions).toContainEqual(
        expect.objectContaining({ type: "Verified", status: "True" }),
      );
      expect(await shop.acts("ours")).toHaveLength(1);
      // What the pin made is the product of a rollback: no strategy goes on from there.
      await shop.ask("again", { strategy: "Previous" }, {}, "ours");
      expect(readyOf(await shop.ended("again"))).toEqual({
        reason: "NothingToDo",
        message: expect.stringContaining("already rolled back by undo"),
      });
    },
    TEST_MS,
  );

  it(
    "says when that is the template of an older revision, whose ReplicaSet is used again",
    async () => {
      const shop = await openShop(world, "pin-reuse");
      const first = await shop.open();
      await shop.release("web:v2");

      await shop.ask("undo", pin("web:v1"));
      const { status } = await shop.ended("undo");

      expect(sameStoredTemplate(await shop.live(), first)).toBe(true);
      expect(await shop.replicaSets()).toHaveLength(2);
      expect(status?.plan?.steps[0]).toMatchObject({
        to: { revision: 1, image: { container: "app", image: "web:v1" } },
        warnings: ["that is the template of revision 1, which is used again"],
      });
      expect(status?.steps?.[0]?.after).toMatchObject({
        revision: 3,
        uid: status?.plan?.steps[0]?.to?.uid,
      });
      await shop.ask("same", pin("web:v1"));
      expect(readyOf(await shop.ended("same"))).toEqual({
        reason: "NothingToDo",
        message: expect.stringContaining("container app has image web:v1 already"),
      });
    },
    TEST_MS,
  );

  it(
    "takes init containers and sidecars by name, and names the containers that there are otherwise",
    async () => {
      const shop = await openShop(world, "pin-init");
      const sidecars = (version: string) =>
        podSpec({
          containers: [
            { name: "proxy", image: "proxy:v9" },
            { name: "app", image: "web:v1" },
          ],
          initContainers: [{ name: "migrate", image: `migrate:${version}` }],
        });
      await shop.open("web", { template: sidecars("v1") });
      await shop.release(sidecars("v2"));

      await shop.ask("undo", pin("migrate:v1", "migrate"));
      const ended = await shop.ended("undo");

      expect(ended.status?.phase).toBe("Succeeded");
      expect((await shop.live()).spec.template.spec.initContainers?.[0]?.image).toBe("migrate:v1");
      expect(ended.status?.plan?.steps[0]?.from?.images).toEqual([
        "proxy=proxy:v9",
        "app=web:v1",
        "migrate=migrate:v2",
      ]);
      expect(readyOf(ended).message).toContain("revision 3 (proxy=proxy:v9, app=web:v1, migrate=migrate:v1)");

      await shop.ask("unknown", pin("web:v1", "sidecar"));
      expect(readyOf(await shop.ended("unknown"))).toEqual({
        reason: "ContainerNotFound",
        message: expect.stringContaining(
          "there is no container or init container sidecar; there are: proxy, app, migrate",
        ),
      });
      // The image of another container is not the history of this one.
      await shop.ask("foreign", pin("proxy:v9", "app"));
      expect(readyOf(await shop.ended("foreign")).reason).toBe("ImageNotAllowed");
    },
    TEST_MS,
  );

  it(
    "takes an image beyond the history only if the policy allows it, as it was at acceptance",
    async () => {
      const shop = await openShop(world, "pin-allowed");
      await withBadRelease(shop);
      await world.kubectl(["apply", "-n", shop.namespace, "-f", "-"], policy(["web:v1.9", "web:v1.8"]));
      const policyRef = { policyRef: { name: "web-policy" } };

      await shop.ask("stranger", pin("evil:v6"), policyRef);
      expect(readyOf(await shop.ended("stranger"))).toEqual({
        reason: "ImageNotAllowed",
        message: expect.stringContaining(
          "image evil:v6 is neither in the history of container app (web:v2, web:v1) nor in the policy's allowedImages",
        ),
      });
      await shop.ask("without", pin("web:v1.9"));
      expect(readyOf(await shop.ended("without")).reason).toBe("ImageNotAllowed");
      expect(await shop.acts()).toEqual([]);

      await shop.ask("allowed", pin("web:v1.9"), policyRef);
      const { status } = await shop.ended("allowed");
      expect(status?.phase).toBe("Succeeded");
      expect(status?.resolved?.allowedImages).toEqual(["web:v1.9", "web:v1.8"]);
      expect(imageOf(await shop.live())).toBe("web:v1.9");
    },
    TEST_MS,
  );

  it(
    "recognises its change where no history is kept, and leaves a change of somebody else alone",
    async () => {
      const shop = await openShop(world, "pin-nohistory");
      await shop.open("web", { spec: { revisionHistoryLimit: 0 } });
      await shop.release(container({ image: "web:v2", args: ["--new-flag"] }));
      await until("nothing is kept", shop.replicaSets, (sets) => sets.length === 1);
      await world.kubectl(["apply", "-n", shop.namespace, "-f", "-"], policy(["web:v1"]));
      const policyRef = { policyRef: { name: "web-policy" } };

      await shop.ask("undo", pin("web:v1"), policyRef);
      expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
      expect(imageOf(await shop.live())).toBe("web:v1");

      await shop.ask("expect", pin("web:v1"), { ...policyRef, expect: { podTemplateHash: "other" } });
      expect((await shop.ended("expect")).status?.phase).toBe("Superseded");
    },
    TEST_MS,
  );

  it(
    "works on StatefulSets",
    async () => {
      const shop = await openShop(world, "pin-sts");
      const sets = setsOf(world, shop, "StatefulSet");
      await sets.open("db", { replicas: 1 });
      await sets.release(container({ image: "web:v2", args: ["--new-flag"] }));
      await sets.settled();

      const workload = { kind: "StatefulSet", name: "db", to: pin("web:v1") };
      await shop.ask("undo", {}, { steps: [{ name: "app", workload }] });
      const { status } = await shop.ended("undo");

      expect(status?.phase).toBe("Succeeded");
      const newest = (await sets.revisions()).at(-1);
      expect(status?.steps?.[0]?.after).toMatchObject({ revision: 3, uid: newest?.metadata.uid });
      expect((await sets.pods()).map(({ spec }) => spec.containers[0])).toMatchObject([
        { image: "web:v1", args: ["--new-flag"] },
      ]);
    },
    TEST_MS,
  );

  it.each([
    ["two members", { strategy: "Previous", image: { container: "app", image: "web:v1" } }],
    ["none", {}],
    ["no image", { image: { container: "app", image: "" } }],
  ])("is refused by the API server with %s", async (title, to) => {
    const shop = await openShop(world, `pin-schema-${title.replaceAll(" ", "-")}`);

    await expect(shop.ask("undo", to)).rejects.toThrow(/must have exactly one of|at least 1 char|image/);
  });

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
