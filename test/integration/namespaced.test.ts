import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { FAST_ELECTION, installOperator, type OperatorProcess } from "../support/operator-process.ts";
import { imageOf, openShop, OPERATOR_USER, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;
const OVERLAY = "deploy/overlays/namespaced";

describe("an operator with rights in one namespace only", () => {
  let world: World;
  let shop: Shop;
  let other: Shop;
  let operator: OperatorProcess;

  beforeAll(async () => {
    world = await startWorld({
      async install(kubectl) {
        await kubectl(["create", "namespace", "shop"]);
        return installOperator(kubectl, OVERLAY);
      },
    });
    shop = await openShop(world, "shop", { executor: false, exists: true });
    other = await openShop(world, "other", { executor: false });
    await other.open();
    await other.release("web:v2");
    // Nothing in the other namespace is missing for an operator that could get in.
    await world.kubectl(["create", "serviceaccount", "rollback-executor", "-n", "other"]);
    const binding = ["rollback-executor", "-n", "other", "--clusterrole=edit"];
    const subject = "--serviceaccount=other:rollback-executor";
    await world.kubectl(["create", "rolebinding", ...binding, subject]);
    operator = await world.operator({ config: `${FAST_ELECTION}${await watchedNamespaces(world)}` });
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  it("has no right in the whole cluster", async () => {
    const bindings = await world.kubectl(["get", "clusterrolebindings", "-o", "json"]);
    expect(bindings).not.toContain("rollback");
    expect(await world.kubectl(["get", "clusterroles", "-o", "name"])).not.toContain("rollback");
  });

  it(
    "undoes a release by request in its namespace, as the tenant",
    async () => {
      await shop.open();
      await shop.release("web:v2");

      await shop.ask("undo");

      expect(readyOf(await shop.ended("undo")).reason).toBe("RolledBack");
      expect(imageOf(await shop.live())).toBe("web:v1");
      expect((await shop.acts()).map(({ user }) => user.username)).toEqual([OPERATOR_USER]);
    },
    TEST_MS,
  );

  it(
    "neither sees nor touches a request elsewhere",
    async () => {
      await other.ask("undo");
      // It has looked at all there is once it has ended a request that came later.
      await shop.release("web:v3");
      await shop.ask("later", { revision: 3 });
      await shop.ended("later");

      // What the CRD's default says until somebody looks.
      expect((await other.request("undo")).status).toEqual({ observedGeneration: -1 });
      expect(imageOf(await other.live())).toBe("web:v2");
      expect(await other.acts()).toEqual([]);
    },
    TEST_MS,
  );

  it.each([
    ["shop", "patch", "deployments.apps", "no"],
    ["shop", "get", "secrets", "no"],
    ["shop", "list", "deployments.apps", "yes"],
    ["shop", "watch", "pods", "yes"],
    ["shop", "get", "pods", "no"],
    ["other", "watch", "pods", "no"],
    ["shop", "impersonate", "serviceaccounts/rollback-executor", "yes"],
    ["shop", "impersonate", "serviceaccounts/default", "no"],
    ["other", "impersonate", "serviceaccounts/rollback-executor", "no"],
    ["other", "list", "deployments.apps", "no"],
    ["other", "get", "rollbackrequests.rollback.llm-research-lab.io", "no"],
    ["other", "create", "events.events.k8s.io", "no"],
  ])("in %s: %s %s? %s", async (namespace, verb, resource, answer) => {
    const question = ["auth", "can-i", verb, resource, "-n", namespace, "--as", OPERATOR_USER];

    expect((await world.kubectl.attempt(question)).stdout.trim()).toBe(answer);
  });

  it("cannot become the executor of the other namespace: the API server says so", async () => {
    const as = ["--as", "system:serviceaccount:other:rollback-executor", "--token", world.operatorToken];
    const { stderr } = await world.kubectl.attempt(["get", "deployments", "-n", "other", ...as]);

    expect(stderr).toMatch(/cannot impersonate resource "serviceaccounts".* in the namespace "other"/);
  });

  it(
    "is not ready, and says why, when it is told to watch a namespace that it may not read",
    async () => {
      await operator.stop();
      const config = `${FAST_ELECTION}watchNamespaces: [shop, other]\n`;
      const wrong = await world.operator({ config, awaitReady: false });

      const answer = await until(
        "it says what it may not",
        async () => (await fetch(`${wrong.url}/readyz`)).text(),
        (text) => text.includes("forbidden"),
      );
      expect(answer).toMatch(/deployments.*cannot list resource "deployments".* in the namespace "other"/);
      await wrong.stop();
    },
    TEST_MS,
  );

  it("wrote only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});

/** As the overlay's ConfigMap has it: the test must not know more than the overlay says. */
async function watchedNamespaces({ kubectl }: World): Promise<string> {
  const path = "jsonpath={.data.operator\\.yaml}";
  const text = await kubectl(["get", "configmap", "rollback-operator", "-n", "rollback-system", "-o", path]);
  const { watchNamespaces } = parse(text) as { readonly watchNamespaces: readonly string[] };
  expect(watchNamespaces).toEqual(["shop"]);
  return `watchNamespaces: ${JSON.stringify(watchNamespaces)}\n`;
}
