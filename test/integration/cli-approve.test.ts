import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { POLICY_ANNOTATIONS, REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { ROLLBACK_POLICIES } from "../../src/kube/rollback-kinds.ts";
import { startCli, userOf, type Cli } from "../support/cli.ts";
import { imageOf, openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

const POLICY = `
apiVersion: rollback.llm-research-lab.io/v1alpha1
kind: RollbackPolicy
metadata: { name: web, namespace: shop }
spec:
  target: { kind: Deployment, name: web }
  signals: [{ name: load, prometheus: { query: up } }]
  matrix: [{ name: load, when: { signal: load, above: "1", for: 1m }, action: Notify }]
`;

describe("kubectl-rollback and requests that wait", () => {
  const { signal } = new AbortController();
  let world: World;
  let shop: Shop;
  let cli: Cli;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    // The strictest surroundings: names are compared.
    await world.kubectl(["apply", "-f", "deploy/manifests/admission.yaml"]);
    shop = await openShop(world, "shop");
    cli = await userOf(world, "alice", ["shop"]);
    await shop.open();
    await shop.release("web:v2");
    await shop.release("web:v3");
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  async function waiting(name: string, spec = {}): Promise<string> {
    await shop.ask(name, undefined, { approval: "Required", ...spec });
    return (await shop.reaches(name, "AwaitingApproval")).status?.plan?.digest ?? "";
  }

  it(
    "status shows what is waited for and how to answer",
    async () => {
      const digest = await waiting("look");
      const { code, stdout } = await cli("status", "look");
      expect(code).toBe(0);
      expect(stdout).toMatch(/^look {3}AwaitingApproval\n/);
      expect(stdout).toContain("what       Deployment/web   revision 3 (v3) -> revision 2 (v2)\n");
      expect(stdout).toContain(`plan       ${digest}\n`);
      expect(stdout).toMatch(/^ {2}waiting {4}for approval until [\d: -]+$/m);
      expect(stdout).toContain("approve    kubectl-rollback approve look\n");
      expect(stdout).toContain("deny       kubectl-rollback deny look --reason TEXT\n");
    },
    TEST_MS,
  );

  it(
    "deny ends it in the user's name",
    async () => {
      await waiting("no");
      const { code, stdout } = await cli("deny", "rbr/no", "--reason", "the fix is out");
      expect(code).toBe(0);
      expect(stdout).toBe("rollbackrequest.rollback.llm-research-lab.io/no denied: the fix is out\n");
      expect(readyOf(await shop.ended("no")).message).toBe(
        `denied by ${cli.user}: the fix is out; nothing was changed`,
      );
      const again = await cli("deny", "no", "--reason", "again");
      expect(again).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("no has ended already (Denied)"),
      });
      expect((await cli("status", "no")).code).toBe(1);
    },
    TEST_MS,
  );

  it(
    "approve refuses another digest, and what needs no approval or is not there",
    async () => {
      const digest = await waiting("other");
      const { code, stderr } = await cli("approve", "other", "--digest", "0123456789abcdef");
      expect(code).toBe(1);
      expect(stderr).toContain(`other does not have plan 0123456789abcdef any more, but ${digest}`);
      expect((await shop.request("other")).metadata.annotations).toBeUndefined();
      expect((await cli("approve", "other", "--digest", "xyz")).code).toBe(2);
      await shop.annotate("other", { [REQUEST_ANNOTATIONS.abort]: "true" });

      await shop.ask("auto", undefined, { dryRun: true });
      expect((await cli("approve", "auto")).code).toBe(1);
      expect(await cli("approve", "nothing")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("RollbackRequest nothing does not exist in namespace shop"),
      });
    },
    TEST_MS,
  );

  it(
    "approve shows the plan that it approves and follows it to its end",
    async () => {
      const digest = await waiting("undo");
      const follower = startCli(["status", "undo", "--watch"], cli.kubeconfig);
      await until(
        "the follower sees it wait",
        async () => follower.stdout(),
        (text) => text.includes("waiting     for approval until"),
      );
      const { code, stdout, stderr } = await cli("approve", "undo", "--digest", digest.slice(0, 8), "--wait");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(
        new RegExp(
          `^plan ${digest.slice(0, 4)} {3}Deployment/web {3}revision 3 \\(v3\\) -> revision 2 \\(v2\\)\n`,
        ),
      );
      expect(stdout).toContain(
        `rollbackrequest.rollback.llm-research-lab.io/undo approved: plan ${digest}\n`,
      );
      expect(stdout).toMatch(/^done {8}rolled back and verified/m);
      expect(imageOf(await shop.live())).toBe("web:v2");
      const { status } = await shop.request("undo");
      expect(status?.conditions?.find(({ type }) => type === "Approved")?.message).toBe(
        `approved by ${cli.user}: plan ${digest}`,
      );
      expect((await cli("status", "undo")).stdout).toMatch(
        /when .* accepted {3}\+\S+ approved {3}\+\S+ patched/,
      );
      expect((await follower.ended).code).toBe(0);
    },
    TEST_MS,
  );

  it(
    "hotfix announces a time on the policy and takes it back",
    async () => {
      await world.kubectl(["apply", "-f", "-"], POLICY);
      const refused = await cli("hotfix", "web", "--eta", "10m");
      expect(refused).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("may not patch rollbackpolicies"),
      });
      const role = ["hotfix", "-n", "shop"];
      await world.kubectl(["create", "role", ...role, "--verb=patch", "--resource=rollbackpolicies"]);
      const subject = "--serviceaccount=people:alice";
      await world.kubectl(["create", "rolebinding", ...role, "--role=hotfix", subject]);
      const eta = async () => {
        const key = { namespace: "shop", name: "web" };
        const { metadata } = await world.client.get(ROLLBACK_POLICIES, key, { signal });
        return metadata.annotations?.[POLICY_ANNOTATIONS.hotfixEta];
      };

      const begun = Date.now();
      const { code, stdout, stderr } = await cli("hotfix", "rbp/web", "--eta", "10m");

      expect(code).toBe(0);
      expect(stdout).toMatch(/^rollbackpolicy\S+\/web hotfix announced for [\d:]+\n$/);
      expect(stderr).toContain("to take it back: kubectl-rollback hotfix web --cancel");
      const at = (await eta()) ?? "";
      expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(Date.parse(at) - begun).toBeGreaterThan(598_000);
      expect(Date.parse(at) - begun).toBeLessThan(660_000);
      expect((await cli("hotfix", "web", "--cancel")).code).toBe(0);
      expect(await eta()).toBeUndefined();
      expect((await cli("hotfix", "web")).code).toBe(2);
      expect((await cli("hotfix", "none", "--eta", "1m")).stderr).toContain(
        "RollbackPolicy none does not exist",
      );
    },
    TEST_MS,
  );
});
