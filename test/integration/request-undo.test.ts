import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { replicaSetType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import {
  container,
  imageOf,
  openShop,
  OPERATOR_USER,
  readyOf,
  revisionNumber,
  sameStoredTemplate,
} from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const CAUSE = "kubernetes.io/change-cause";

describe("a request to undo a release", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  describe("beside the real kubectl rollout undo", () => {
    it.each([
      ["the last revision", [], { strategy: "Previous" }],
      ["a revision by number", ["--to-revision=1"], { revision: 1 }],
    ])(
      "%s: the same template, and the annotations stay",
      async (title, flags, to) => {
        const shop = await openShop(world, `twin-${flags.length}`);
        const { namespace } = shop;
        for (const name of ["ours", "theirs"]) {
          await shop.open(name, { metadata: { annotations: { [CAUSE]: "first", "team/pager": "core" } } });
          await annotate(namespace, name, { [CAUSE]: "second" });
          await shop.release(
            container({ image: "web:v2", env: [{ name: "A", value: "1 < 2 && 3 > 2" }] }),
            name,
          );
          await annotate(namespace, name, { [CAUSE]: "third" });
          await shop.release(container({ image: "web:v3", args: ["-c", "a && b <c\u2028> d\t\b"] }), name);
          await annotate(namespace, name, { "tool/only-on-the-deployment": "yes" });
        }
        const replicas = (await shop.replicaSets("ours")).map(revisionNumber).toSorted((a, b) => a - b);

        await world.kubectl(["rollout", "undo", "deployment/theirs", "-n", namespace, ...flags]);
        await world.kubectl(["rollout", "status", "deployment/theirs", "-n", namespace, "--timeout=20s"]);
        await shop.ask("undo", to, { reason: title }, "ours");
        const ended = await shop.ended("undo");

        const [ours, theirs] = await Promise.all([shop.live("ours"), shop.live("theirs")]);
        expect(ended.status).toMatchObject({ phase: "Succeeded", progress: "1/1" });
        expect(replicas).toEqual([1, 2, 3]);
        expect(withoutName(ours.spec.template)).toEqual(withoutName(theirs.spec.template));
        expect(revisionNumber(ours)).toBe(revisionNumber(theirs));
        expect(ours.metadata.annotations?.[CAUSE]).toBe(theirs.metadata.annotations?.[CAUSE]);
        expect(ours.metadata.annotations).toMatchObject({
          "team/pager": "core",
          "tool/only-on-the-deployment": "yes",
        });
        expect(theirs.metadata.annotations).not.toHaveProperty("tool/only-on-the-deployment");
        expect(ours.spec.replicas).toBe(2);
        expect(await shop.acts("ours")).toMatchObject([{ verb: "patch", user: { username: OPERATOR_USER } }]);
      },
      TEST_MS,
    );

    function annotate(namespace: string, name: string, annotations: Readonly<Record<string, string>>) {
      const pairs = Object.entries(annotations).map(([key, value]) => `${key}=${value}`);
      return world.kubectl(["annotate", "deployment", name, "-n", namespace, "--overwrite", ...pairs]);
    }
  });

  it(
    "works on a Deployment without any annotation of its own, and says what the world says",
    async () => {
      const shop = await openShop(world, "plain");
      const first = await shop.open();
      const bad = await shop.release("web:v2");
      const sets = await shop.replicaSets();
      const uidOf = (revision: number) =>
        sets.find((set) => revisionNumber(set) === revision)?.metadata.uid ?? "none";
      expect(Object.keys(bad.metadata.annotations ?? {})).toEqual(["deployment.kubernetes.io/revision"]);

      await shop.ask("undo");
      const { status } = await shop.ended("undo");

      const live = await shop.live();
      expect(sameStoredTemplate(live, first)).toBe(true);
      expect(live.status).toMatchObject({ updatedReplicas: 2, availableReplicas: 2, replicas: 2 });
      expect(Object.keys(live.metadata.annotations ?? {})).toEqual(["deployment.kubernetes.io/revision"]);
      expect(status?.plan?.steps[0]).toMatchObject({
        object: "Deployment/web",
        objectUid: live.metadata.uid,
        from: { revision: 2, uid: uidOf(2), images: ["web:v2"] },
        to: { revision: 1, uid: uidOf(1), images: ["web:v1"] },
        changes: ["template.spec.containers[app].image"],
      });
      expect(status?.steps?.[0]).toMatchObject({
        state: "Succeeded",
        after: { revision: 3, uid: uidOf(1), images: ["web:v1"] },
      });
      expect(revisionNumber(live)).toBe(3);
      expect(status?.conditions).toContainEqual(
        expect.objectContaining({ type: "Verified", status: "True" }),
      );
      const audit = await readAudit(world.controlPlane.auditLogPath);
      const [act] = await shop.acts();
      const patchedAt = Date.parse(act?.requestReceivedTimestamp ?? "");
      expect(Math.abs(Date.parse(status?.timeline?.applied ?? "") - patchedAt)).toBeLessThan(2_000);
      // As itself the operator touches nothing of the tenant but its own kinds and events.
      const own = audit.writes({ namespace: shop.namespace, actor: OPERATOR_USER, acceptedOnly: false });
      expect(new Set(own.map(({ objectRef }) => objectRef?.apiGroup))).toEqual(
        new Set(["rollback.llm-research-lab.io", "events.k8s.io"]),
      );
    },
    TEST_MS,
  );

  it(
    "warns a person that nothing is known good, and goes to the newest older revision",
    async () => {
      const shop = await openShop(world, "fallback");
      await shop.open();
      await shop.release("web:v2");
      await shop.release("web:v3");

      await shop.ask("undo");
      const { status } = await shop.ended("undo");

      expect(imageOf(await shop.live())).toBe("web:v2");
      expect(status?.plan?.steps[0]?.warnings).toEqual([
        "no revision is recorded as known good; revision 2 is the newest older one",
      ]);
    },
    TEST_MS,
  );

  it(
    "never goes forward again: the product of a rollback is left alone, unless a revision is named",
    async () => {
      const shop = await openShop(world, "product");
      await shop.open();
      await shop.release("web:v2");
      await shop.release("web:v3");
      await shop.ask("first", { strategy: "Previous" });
      await shop.ended("first");

      for (const strategy of ["Previous", "LastKnownGood"]) {
        const name = `again-${strategy.toLowerCase()}`;
        await shop.ask(name, { strategy });
        const again = await shop.ended(name);
        expect(again.status?.phase).toBe("Succeeded");
        expect(readyOf(again)).toMatchObject({
          reason: "NothingToDo",
          message: expect.stringContaining("already rolled back by first; name a revision to go further"),
        });
      }
      expect(imageOf(await shop.live())).toBe("web:v2");
      expect(await shop.acts()).toHaveLength(1);

      await shop.ask("renumbered", { revision: 2 });
      expect(readyOf(await shop.ended("renumbered"))).toMatchObject({
        reason: "NothingToDo",
        message: expect.stringContaining("revision 2 is live already, as revision 4"),
      });
      await shop.ask("further", { revision: 1 });
      expect((await shop.ended("further")).status?.phase).toBe("Succeeded");
      expect(imageOf(await shop.live())).toBe("web:v1");

      // Revision 2 is 4 since the undo; whoever still says 2 is told so.
      await shop.ask("old-number", { revision: 2 });
      const old = await shop.ended("old-number");
      expect(old.status?.phase).toBe("Failed");
      expect(readyOf(old)).toMatchObject({
        reason: "RevisionNotFound",
        message: expect.stringContaining("revision 2 is now revision 4"),
      });
      // A release of its own ends the lineage.
      await shop.release("web:v5");
      await shop.ask("fresh", { strategy: "Previous" });
      await shop.ended("fresh");
      expect(imageOf(await shop.live())).toBe("web:v1");
      expect(await shop.acts()).toHaveLength(3);
    },
    TEST_MS,
  );

  it(
    "skips a revision that was rolled back before, and says so",
    async () => {
      const shop = await openShop(world, "marked");
      await shop.open();
      await shop.release("web:v2");
      await shop.ask("first");
      await shop.ended("first");
      // Released again over it: revisions 3 (v1), 2 (v2, rolled back), 4 (v3).
      await shop.release("web:v2");
      await shop.release("web:v3");

      await shop.ask("second", { strategy: "Previous" });
      const { status } = await shop.ended("second");

      expect(imageOf(await shop.live())).toBe("web:v1");
      expect(status?.plan?.steps[0]?.warnings).toContain("revision 4 is skipped: rolled back by first");
    },
    TEST_MS,
  );

  it(
    "skips revisions that differ by a restart only",
    async () => {
      const shop = await openShop(world, "restarted");
      await shop.open();
      await shop.release("web:v2");
      await world.kubectl(["rollout", "restart", "deployment/web", "-n", shop.namespace]);
      await world.kubectl(["rollout", "status", "deployment/web", "-n", shop.namespace, "--timeout=20s"]);
      expect(revisionNumber(await shop.live())).toBe(3);

      await shop.ask("undo", { strategy: "Previous" });
      const { status } = await shop.ended("undo");

      expect(imageOf(await shop.live())).toBe("web:v1");
      expect(status?.plan?.steps[0]?.warnings).toContain(
        "revision 2 is skipped: it is the live template before a restart",
      );
    },
    TEST_MS,
  );

  it.each([
    ["history-one-step", 0, { strategy: "Previous" }, "NoRevision", /holds only the live one/],
    ["history-unknown", 1, { revision: 9 }, "RevisionNotFound", /kept: 1, 2; revisionHistoryLimit 10/],
    ["history-live", 1, { revision: 2 }, "NothingToDo", /revision 2 is live already/],
  ] as const)(
    "%s: refused or nothing to do, with what there is",
    async (namespace, releases, to, reason, message) => {
      const shop = await openShop(world, namespace);
      await shop.open();
      for (let index = 0; index < releases; index += 1) await shop.release(`web:v${index + 2}`);
      const before = await shop.live();

      await shop.ask("undo", to);
      const ended = await shop.ended("undo");

      expect(ended.status?.phase).toBe(reason === "NothingToDo" ? "Succeeded" : "Failed");
      expect(readyOf(ended)).toEqual({ reason, message: expect.stringMatching(message) });
      expect((await shop.live()).metadata.generation).toBe(before.metadata.generation);
      expect(await shop.acts()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "lists what a trimmed history still holds",
    async () => {
      const shop = await openShop(world, "trimmed");
      await shop.open("web", { spec: { revisionHistoryLimit: 1 } });
      await shop.release("web:v2");
      await shop.release("web:v3");
      const kept = async () => (await shop.replicaSets()).map(revisionNumber);
      await until("the oldest is trimmed", kept, (numbers) => !numbers.includes(1));

      await shop.ask("undo", { revision: 1 });

      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "RevisionNotFound",
        message: expect.stringContaining(
          "revision 1 is not in the history (kept: 2, 3; revisionHistoryLimit 1)",
        ),
      });
    },
    TEST_MS,
  );

  it(
    "refuses a paused Deployment and says how to go on; being deleted is refused too",
    async () => {
      const shop = await openShop(world, "paused");
      await shop.open();
      await shop.release("web:v2");
      await shop.edit([{ op: "add", path: "/spec/paused", value: true }]);
      await shop.ask("undo");
      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "Paused",
        message: expect.stringContaining('run "kubectl rollout resume deployment/web" first'),
      });

      await shop.edit([{ op: "add", path: "/metadata/finalizers", value: ["example.org/keep"] }]);
      await world.kubectl(["delete", "deployment", "web", "-n", shop.namespace, "--wait=false"]);
      await shop.ask("too-late");
      expect(readyOf(await shop.ended("too-late"))).toEqual({
        reason: "TargetNotFound",
        message: expect.stringContaining("is being deleted"),
      });
      await shop.edit([{ op: "remove", path: "/metadata/finalizers" }]);
      expect(await shop.acts()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "plans on what is live, not on what was: a request made together with the bad release",
    async () => {
      const shop = await openShop(world, "together");
      const first = await shop.open();
      await shop.edit([
        { op: "replace", path: "/spec/template/spec/containers/0/image", value: "web:pull-error" },
      ]);
      await shop.ask("undo");

      const ended = await shop.ended("undo");

      // Not a refusal that only says that the Deployment was just being numbered.
      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(sameStoredTemplate(await shop.live(), first)).toBe(true);
    },
    TEST_MS,
  );

  it(
    "goes back only as far as its ReplicaSet is there when its turn comes",
    async () => {
      const shop = await openShop(world, "gone");
      await shop.open();
      await shop.release("web:v2");
      const [oldest] = (await shop.replicaSets()).filter((set) => revisionNumber(set) === 1);
      await world.client.delete(
        replicaSetType,
        { namespace: shop.namespace, name: oldest?.metadata.name ?? "" },
        { signal: AbortSignal.timeout(5_000) },
      );
      const gone = async () => (await shop.replicaSets()).length;
      await until("the ReplicaSet is gone", gone, (count) => count === 1);

      await shop.ask("undo", { revision: 1 });

      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "RevisionNotFound",
        message: expect.stringContaining("kept: 2"),
      });
    },
    TEST_MS,
  );

  it("wrote only statuses that waiters can read", async () => {
    const versions = await storedVersions(world.controlPlane.auditLogPath);
    expect(versions.length).toBeGreaterThan(50);
    expect(statusComplaints(versions)).toEqual([]);
  });
});

/** The twins differ in nothing but the label with their name. */
function withoutName(template: object): unknown {
  return JSON.parse(JSON.stringify(template).replaceAll(/"app":"(ours|theirs)"/g, '"app":"twin"')) as unknown;
}
