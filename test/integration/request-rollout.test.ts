import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { leaseType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { FAST_ELECTION } from "../support/operator-process.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf, sameStoredTemplate, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const STUCK_AFTER_MS = 2_000;

describe("while the restored version comes up", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator({ config: `${FAST_ELECTION}stuckAfter: ${STUCK_AFTER_MS / 1_000}s\n` });
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** A Deployment whose first revision has pods that behave as their image says, under a good one. */
  async function withBadPast(namespace: string, image: string, spec = {}): Promise<Shop> {
    const shop = await openShop(world, namespace);
    await shop.open("web", {
      spec,
      template: (template) => ({ ...template, spec: { containers: [{ name: "app", image }] } }),
    });
    await shop.release("web:v2");
    return shop;
  }

  function step(timeout: string, revision = 1) {
    const workload = { kind: "Deployment", name: "web", to: { revision } };
    return { steps: [{ name: "app", timeout, workload }] };
  }

  function tookMs(status: Awaited<ReturnType<Shop["ended"]>>["status"]): number {
    const { startedAt = "", finishedAt = "" } = status?.steps?.[0] ?? {};
    return Date.parse(finishedAt) - Date.parse(startedAt);
  }

  describe("and does not", () => {
    it.each([
      ["pull-error", "ImagePullBackOff: no such image"],
      ["config-error", 'CreateContainerConfigError: configmap "gone" not found'],
    ])(
      "%s: Stuck with the pods' own reason, as soon as waiting is of no use",
      async (behaviour, words) => {
        const shop = await withBadPast(behaviour, `web:${behaviour}`);

        await shop.ask("undo", { revision: 1 });

        const ended = await shop.ended("undo");
        const { status } = ended;
        expect(status?.phase).toBe("Failed");
        expect(readyOf(ended)).toEqual({
          reason: "Stuck",
          message: expect.stringMatching(
            new RegExp(`the restored version cannot start: pod web-\\S+: container app: ${words}`),
          ),
        });
        expect(status?.steps?.[0]?.state).toBe("Failed");
        expect(tookMs(status)).toBeGreaterThanOrEqual(STUCK_AFTER_MS);
        expect(tookMs(status)).toBeLessThan(STUCK_AFTER_MS * 3);
      },
      TEST_MS,
    );

    it.each([
      ["unschedulable", /1\/2 updated.*Unschedulable: 0\/0 nodes are available/],
      ["slow", /1\/2 updated/],
      ["crash", /CrashLoopBackOff: back-off 10s/],
    ])(
      "%s: may still heal, so only the step's timeout ends it",
      async (behaviour, words) => {
        const shop = await withBadPast(`may-heal-${behaviour}`, `web:${behaviour}`);

        await shop.ask("undo", {}, step("4s"));

        const ended = await shop.ended("undo");
        expect(readyOf(ended)).toEqual({ reason: "Stuck", message: expect.stringMatching(words) });
        expect(readyOf(ended).message).toContain("the step took longer than its timeout of 4s");
        expect(tookMs(ended.status)).toBeGreaterThanOrEqual(4_000);
      },
      TEST_MS,
    );

    it(
      "its own progress deadline passes: Stuck, before the step's timeout",
      async () => {
        const shop = await withBadPast("own-deadline", "web:crash", { progressDeadlineSeconds: 2 });

        await shop.ask("undo", { revision: 1 });

        expect(readyOf(await shop.ended("undo"))).toEqual({
          reason: "Stuck",
          message: expect.stringMatching(/the progress deadline passed: .*CrashLoopBackOff/),
        });
      },
      TEST_MS,
    );

    it(
      "its pods are refused by a quota: Stuck with the server's words",
      async () => {
        const shop = await openShop(world, "quota");
        await shop.open();
        await shop.release("web:v2");
        const { namespace } = shop;
        await world.kubectl(["create", "quota", "full", "--hard=pods=2", "-n", namespace]);
        await until(
          "the quota is counted",
          () =>
            world.kubectl(["get", "quota", "full", "-n", namespace, "-o", "jsonpath={.status.used.pods}"]),
          (used) => used === "2",
        );

        await shop.ask("undo");

        expect(readyOf(await shop.ended("undo"))).toEqual({
          reason: "Stuck",
          message: expect.stringMatching(/pods cannot be created: .*exceeded quota: full/),
        });
      },
      TEST_MS,
    );

    it(
      "the request's deadline passes: DeadlineExceeded",
      async () => {
        const shop = await withBadPast("deadline", "web:slow");

        await shop.ask("undo", { revision: 1 }, { deadline: "2s" });

        const ended = await shop.ended("undo");
        expect(readyOf(ended)).toEqual({
          reason: "DeadlineExceeded",
          message: expect.stringContaining("the deadline of 2s passed: 1/2 updated"),
        });
        // It undoes nothing: the change stays, and the journal says since when.
        expect(imageOf(await shop.live())).toBe("web:slow");
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );
  });

  it(
    "is not taken in by the ProgressDeadlineExceeded of the release that it undoes",
    async () => {
      const shop = await openShop(world, "stale");
      const first = await shop.open("web", { spec: { progressDeadlineSeconds: 1 } });
      await shop.release("web:pull-error");
      const progressing = async () =>
        (await shop.live()).status?.conditions?.find(({ type }) => type === "Progressing")?.reason;
      await until("the release is stuck", progressing, (reason) => reason === "ProgressDeadlineExceeded");

      await shop.ask("undo");

      const ended = await shop.ended("undo");
      expect(ended.status).toMatchObject({ phase: "Succeeded" });
      expect(sameStoredTemplate(await shop.live(), first)).toBe(true);
    },
    TEST_MS,
  );

  describe("and somebody else deploys", () => {
    it(
      "while it waits for its turn: Superseded, nothing changed; the one before it is Superseded too",
      async () => {
        const shop = await openShop(world, "foreign-waiting");
        await shop.open();
        await shop.release("web:v2");
        await shop.release("web:v3");
        await shop.ask("first", { strategy: "Previous" }, { verification: { settle: "0s", soak: "2m" } });
        await shop.reaches("first", "Verifying");
        await shop.ask("second", { revision: 1 });
        const waiting = await shop.reaches("second", "Pending");
        expect(readyOf(waiting)).toEqual({
          reason: "TargetBusy",
          message: "waits for RollbackRequest foreign-waiting/first on the same target",
        });

        await shop.release("web:v9");

        const [first, second] = [await shop.ended("first"), await shop.ended("second")];
        expect(first.status?.phase).toBe("Failed");
        expect(readyOf(first)).toEqual({
          reason: "Superseded",
          message: "Deployment/web was changed by somebody else after the act",
        });
        expect(second.status?.phase).toBe("Superseded");
        expect(readyOf(second).message).toMatch(
          /went from revision 4 to revision 5 since this request was accepted: nothing was changed/,
        );
        expect(imageOf(await shop.live())).toBe("web:v9");
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );

    it(
      "after the act, before the old version is complete: Superseded, never overwritten",
      async () => {
        const shop = await withBadPast("foreign-applying", "web:slow");
        await shop.ask("undo", { revision: 1 });
        await until("it is applied", () => shop.request("undo"), isApplied);

        await shop.release("web:v9");

        const ended = await shop.ended("undo");
        expect(ended.status).toMatchObject({ phase: "Failed", steps: [{ state: "Superseded" }] });
        expect(readyOf(ended).reason).toBe("Superseded");
        expect(imageOf(await shop.live())).toBe("web:v9");
        expect(await shop.acts()).toHaveLength(1);
      },
      TEST_MS,
    );

    it(
      "a scaling in between is not a change of the version",
      async () => {
        const shop = await openShop(world, "scaled");
        const first = await shop.open();
        await shop.release("web:v2");
        await shop.ask(
          "undo",
          { revision: 1 },
          { verification: { settle: "1s", soak: "2s", interval: "1s" } },
        );
        await shop.reaches("undo", "Verifying");
        await shop.edit([{ op: "replace", path: "/spec/replicas", value: 1 }]);

        expect((await shop.ended("undo")).status?.phase).toBe("Succeeded");
        const live = await shop.live();
        expect(live.spec.replicas).toBe(1);
        expect(sameStoredTemplate(live, first)).toBe(true);
      },
      TEST_MS,
    );
  });

  describe("and others ask for the same", () => {
    it(
      "at the same moment: one acts, the others find nothing to do; never back twice",
      async () => {
        const shop = await openShop(world, "at-once");
        const names = ["a", "b", "c", "d", "e"];
        for (const name of names) {
          await shop.open(name, { spec: { replicas: 1 } });
          await shop.release("web:v2", name);
          await shop.release("web:v3", name);
        }

        const strategies = [["Previous", "LastKnownGood"], ["LastKnownGood", "Previous"], ["Previous"]];
        await Promise.all(
          names.flatMap((name, index) => {
            const [one = "Previous", other = "Previous"] = strategies[index % strategies.length] ?? [];
            return [
              shop.ask(`${name}-1`, { strategy: one }, {}, name),
              shop.ask(`${name}-2`, { strategy: other }, {}, name),
            ];
          }),
        );

        for (const name of names) {
          const ended = [await shop.ended(`${name}-1`), await shop.ended(`${name}-2`)];
          const reasons = ended.map((request) => readyOf(request).reason);
          expect(reasons.filter((reason) => reason === "RolledBack")).toHaveLength(1);
          expect(reasons.filter((r) => r === "NothingToDo" || r === "Superseded")).toHaveLength(1);
          expect(imageOf(await shop.live(name))).toBe("web:v2");
          expect(await shop.acts(name)).toHaveLength(1);
        }
      },
      TEST_MS,
    );

    it(
      "one after the other: the second starts when the first has ended, and goes further if it names where",
      async () => {
        const shop = await openShop(world, "in-turn");
        await shop.open();
        await shop.release("web:v2");
        await shop.release("web:v3");
        await shop.ask("first", { strategy: "Previous" });
        await shop.reaches("first", "Verifying");
        await shop.ask("second", { revision: 1 });
        await shop.reaches("second", "Pending");

        const second = await shop.ended("second");

        const first = await shop.request("first");
        expect(second.status?.phase).toBe("Succeeded");
        expect(imageOf(await shop.live())).toBe("web:v1");
        const [, act] = await shop.acts();
        const firstEnd = await storedAt(shop, "first", "Succeeded");
        expect(Date.parse(act?.requestReceivedTimestamp ?? "")).toBeGreaterThanOrEqual(firstEnd);
        // Woken by the end of the first, not by its own polling.
        expect(Date.parse(act?.requestReceivedTimestamp ?? "") - firstEnd).toBeLessThan(2_000);
        expect(first.status?.phase).toBe("Succeeded");
      },
      TEST_MS,
    );
  });

  it("left no lock behind", async () => {
    const { items } = await world.client.list(leaseType, {
      namespace: "rollback-system",
      signal: AbortSignal.timeout(5_000),
    });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(["rollback-operator"]);
  });

  it("wrote only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });

  /** When the API server stored the request with this phase first, milliseconds since the epoch. */
  async function storedAt(shop: Shop, name: string, phase: string): Promise<number> {
    const { namespace } = shop;
    const audit = await readAudit(world.controlPlane.auditLogPath);
    const writes = audit.writes({ resource: "rollbackrequests", subresource: "status", namespace, name });
    const write = writes.find(({ responseObject }) => phaseOf(responseObject) === phase);
    return Date.parse(write?.requestReceivedTimestamp ?? "");
  }
});

function isApplied({ status }: Awaited<ReturnType<Shop["request"]>>): boolean {
  return status?.steps?.[0]?.state === "Applied";
}

function phaseOf(object: unknown): string | undefined {
  return (object as { readonly status?: { readonly phase?: string } } | undefined)?.status?.phase;
}
