import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { targetHash } from "../../src/controllers/ledger/ledger.ts";
import { ROLLBACK_LEDGERS, ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import { serviceAccountType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 120_000;

const signal = new AbortController().signal;
const undo = (revision?: number) => ({
  name: "site",
  workload: {
    kind: "Deployment",
    name: "web",
    to: revision === undefined ? { strategy: "Previous" } : { revision },
  },
});
const scale = (replicas: number) => ({
  name: `to-${replicas}`,
  scale: { kind: "Deployment", name: "worker", replicas },
});
const gate: PartialSpec = {
  name: "gate",
  check: { settle: "3s", soak: "1s", interval: "1s", checks: [{ name: "version", version: {} }] },
};

/** What later steps of a request may rely on. */
describe("a later step", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "scale"] });
    await Promise.all([shop.open("web"), shop.open("worker")]);
    return shop;
  }

  async function writes({ namespace, executor }: Shop) {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit.writes({ namespace, actor: executor }).map(({ objectRef }) => objectRef?.name);
  }

  it(
    "does not begin when the version before it is live but does not run",
    async () => {
      const shop = await open("half-way");
      // Revision 2 never gets ready, and it is live.
      await shop.release("web:slow", "web");

      await shop.ask("forward", undefined, { steps: [undo(2), scale(1)] });
      const ended = await shop.ended("forward");

      expect(readyOf(ended)).toMatchObject({
        reason: "Incomplete",
        message: expect.stringMatching(
          /^refused, nothing was changed: step site: Deployment\/web: revision 2 is live already, but that is not complete: .* updated/,
        ),
      });
      expect(await writes(shop)).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "does not begin when the executor was deleted meanwhile, although acting as it would still work",
    async () => {
      const shop = await open("brake");
      const { namespace } = shop;
      await shop.release("web:v2", "web");
      await shop.ask("undo", undefined, { steps: [undo(), gate, scale(1)] });
      await until(
        "the check runs",
        () => shop.request("undo"),
        ({ status }) => status?.steps?.[1]?.state === "Applied",
      );

      await world.client.delete(serviceAccountType, { namespace, name: "rollback-executor" }, { signal });
      const ended = await shop.ended("undo");

      expect(ended.status).toMatchObject({ phase: "Failed", progress: "2/3" });
      expect(readyOf(ended)).toMatchObject({
        reason: "AccessDenied",
        message: expect.stringMatching(
          /^step to-1 \(3 of 3\): ServiceAccount brake\/rollback-executor does not exist.*; the change of step site stays$/,
        ),
      });
      expect(await writes(shop)).toEqual(["web"]);
    },
    TEST_MS,
  );

  it(
    "is known to have run by the ledger of its own target too",
    async () => {
      const shop = await open("replay");
      const { namespace } = shop;
      await shop.release("web:v2", "web");
      const steps = { steps: [scale(1), undo()] };
      await shop.ask("undo", undefined, steps);
      await shop.ended("undo");
      const acted = await writes(shop);
      const target = { group: "apps", kind: "Deployment", namespace, name: "worker" };

      await world.client.delete(ROLLBACK_LEDGERS, { namespace, name: targetHash(target) }, { signal });
      await world.client.delete(ROLLBACK_REQUESTS, { namespace, name: "undo" }, { signal });
      await until(
        "the request is gone",
        () => world.client.tryGet(ROLLBACK_REQUESTS, { namespace, name: "undo" }, { signal }),
        (found) => found === undefined,
      );
      await shop.ask("undo", undefined, steps);

      expect(readyOf(await shop.ended("undo")).reason).toBe("AlreadyExecuted");
      expect(await writes(shop)).toEqual(acted);
    },
    TEST_MS,
  );
});
