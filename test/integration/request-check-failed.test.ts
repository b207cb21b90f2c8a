import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { podType } from "../../src/kube/well-known.ts";
import { imageOf, openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

const { signal } = new AbortController();
const site = { name: "site", workload: { kind: "Deployment", name: "web", to: { strategy: "Previous" } } };
const more = { name: "more", scale: { kind: "Deployment", name: "worker", replicas: 3 } };
const gate = (soak: string) => ({
  name: "gate",
  check: { soak, interval: "1s", checks: [{ name: "pods", pods: {} }] },
});

describe("a step that only checks", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** `web` with a bad release over a good one, and `worker` beside it. */
  async function openBoth(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "scale"] });
    await Promise.all([shop.open("web").then(() => shop.release("web:v2", "web")), shop.open("worker")]);
    return shop;
  }

  const replicasOf = async (shop: Shop) => (await shop.live("worker")).spec.replicas;

  it(
    "ends the request when it fails, before the next step; what was done stays",
    async () => {
      const shop = await openBoth("fails");
      await shop.ask("undo", undefined, { steps: [site, gate("1m"), more] });
      await until(
        "the check is under way",
        () => shop.request("undo"),
        ({ status }) => status?.steps?.[1]?.state === "Applied",
      );

      await breakPods(shop);

      const ended = await shop.ended("undo");
      expect(readyOf(ended)).toEqual({
        reason: "CheckFailed",
        message: expect.stringMatching(
          /^step gate \(2 of 3\): pods [01]\/2 ready; the change of step site stays$/,
        ),
      });
      expect(ended.status?.phase).toBe("Failed");
      expect(ended.status?.steps?.map(({ state }) => state)).toEqual(["Succeeded", "Failed", "Pending"]);
      expect(imageOf(await shop.live())).toBe("web:v1");
      expect(await replicasOf(shop)).toBe(2);
    },
    TEST_MS,
  );

  it(
    "that looks at nothing, as none before it restored anything, is refused; nothing was changed",
    async () => {
      const shop = await openBoth("unclear");

      await shop.ask("undo", undefined, { steps: [gate("2s"), site] });

      const ended = await shop.ended("undo");
      expect(readyOf(ended)).toEqual({
        reason: "InvalidSteps",
        message:
          "refused, nothing was changed: step gate: check pods looks at what a workload or restart step before it left, and there is none",
      });
      expect(ended.status?.timeline).not.toHaveProperty("applied");
      expect(await shop.acts()).toEqual([]);
      expect(imageOf(await shop.live())).toBe("web:v2");
    },
    TEST_MS,
  );

  /** The pods of `web`, which were Ready, restart and are so no more. */
  async function breakPods({ namespace }: Shop): Promise<void> {
    const { items } = await world.client.list(podType, { namespace, labelSelector: "app=web", signal });
    for (const { metadata, status } of items) {
      const conditions = (status?.conditions ?? []).map((condition) =>
        condition.type === "Ready" ? { ...condition, status: "False" } : condition,
      );
      const containerStatuses = (status?.containerStatuses ?? []).map((container) => ({
        ...container,
        ready: false,
        restartCount: 1,
      }));
      const patch = { kind: "merge", value: { status: { conditions, containerStatuses } } } as const;
      await world.client.patch(podType, { namespace, name: metadata.name }, patch, {
        signal,
        subresource: "status",
      });
    }
  }
});
