import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { serviceAccountType } from "../../src/kube/well-known.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import {
  addExecutor,
  container,
  imageOf,
  openShop,
  readyOf,
  roleBindingType,
  type Shop,
} from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

describe("the account that acts", () => {
  const signal = new AbortController().signal;
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** web:v2 over a first revision that never gets ready again. */
  async function slowPast(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace);
    await shop.open("web", { template: container({ image: "web:slow" }) });
    await shop.release("web:v2");
    return shop;
  }

  async function isGone(shop: Shop, name: string): Promise<void> {
    await until(
      `RollbackRequest ${name} is gone`,
      () => world.kubectl.attempt(["get", "rbr", name, "-n", shop.namespace]),
      ({ stderr }) => stderr.includes("NotFound"),
    );
  }

  it(
    "does not exist: refused",
    async () => {
      const shop = await openShop(world, "no-account", { executor: false });
      await shop.open();
      await shop.release("web:v2");

      await shop.ask("undo");

      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "AccessDenied",
        message: expect.stringContaining(
          "ServiceAccount no-account/rollback-executor does not exist: create it",
        ),
      });
    },
    TEST_MS,
  );

  it(
    "has no rights: the message holds the very rules that it lacks",
    async () => {
      const shop = await openShop(world, "no-rights", { executor: false });
      const { namespace } = shop;
      const account = { namespace, name: "rollback-executor" };
      await world.client.create(serviceAccountType, { metadata: account }, { signal });
      await shop.open();
      await shop.release("web:v2");
      await shop.ask("undo");
      const refused = await shop.ended("undo");
      expect(readyOf(refused).reason).toBe("AccessDenied");
      expect(await shop.acts()).toEqual([]);

      const { message } = readyOf(refused);
      const rules = message.slice(message.indexOf("\n") + 1);
      await world.kubectl(["apply", "-n", namespace, "-f", "-"], roleWith(rules));
      await shop.ask("again");

      const again = await shop.ended("again");
      expect(readyOf(again).reason).toBe("RolledBack");
      expect(imageOf(await shop.live())).toBe("web:v1");
    },
    TEST_MS,
  );

  it(
    "has a name that nobody allowed the operator to act as: refused, saying why",
    async () => {
      const shop = await openShop(world, "wrong-name");
      const account = { namespace: shop.namespace, name: "cluster-owner" };
      await world.client.create(serviceAccountType, { metadata: account }, { signal });
      await shop.open();
      await shop.release("web:v2");

      await shop.ask("undo", { strategy: "Previous" }, { serviceAccountName: account.name });

      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "AccessDenied",
        message: expect.stringMatching(
          /may not act as ServiceAccount wrong-name\/cluster-owner: only accounts named rollback-executor can be used/,
        ),
      });
      expect(imageOf(await shop.live())).toBe("web:v2");
    },
    TEST_MS,
  );

  it(
    "loses its rights on the way: said so, picked up when they are back",
    async () => {
      const shop = await slowPast("lost-rights");
      await shop.ask("undo", { revision: 1 }, { deadline: "12s" });
      await until("it is applied", () => shop.request("undo"), isApplied);
      const binding = { namespace: shop.namespace, name: "rollback-executor" };
      await world.client.delete(roleBindingType, binding, { signal });
      const denied = await until(
        "it says that it cannot look",
        () => shop.request("undo"),
        (request) => readyOf(request).reason === "AccessDenied",
      );
      expect(readyOf(denied).message).toContain("the executor may not read Deployment/web any more");

      await world.client.delete(serviceAccountType, binding, { signal });
      await addExecutor(world, shop.namespace);

      const ended = await shop.ended("undo");
      expect(readyOf(ended)).toEqual({
        reason: "DeadlineExceeded",
        message: expect.stringContaining("1/2 updated"),
      });
    },
    TEST_MS,
  );

  it(
    "loses its rights for good: the request ends at its deadline all the same, and can be deleted",
    async () => {
      const shop = await slowPast("no-way-back");
      await shop.ask("undo", { revision: 1 }, { deadline: "6s" });
      await until("it is applied", () => shop.request("undo"), isApplied);
      const binding = { namespace: shop.namespace, name: "rollback-executor" };
      await world.client.delete(roleBindingType, binding, { signal });

      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "DeadlineExceeded",
        message: expect.stringContaining("the executor may not read Deployment/web any more"),
      });
      await shop.remove("undo");
      await isGone(shop, "undo");
    },
    TEST_MS,
  );

  it("wrote only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});

function isApplied({ status }: RollbackRequest): boolean {
  return status?.steps?.[0]?.state === "Applied";
}

/** The text of a message under `rules:`, as a person would paste it. */
function roleWith(rules: string): string {
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: executor}
rules:
${rules}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: executor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: executor}
subjects: [{kind: ServiceAccount, name: rollback-executor}]
`;
}
