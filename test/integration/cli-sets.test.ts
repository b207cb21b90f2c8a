import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { userOf, type Cli } from "../support/cli.ts";
import { addNodes, imageOfSet, setsOf, type SetKind } from "../support/sets.ts";
import { container, openShop, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

/** Named by its requests, it only says who acts and how they are checked, in seconds. */
const POLICY = `
apiVersion: rollback.llm-research-lab.io/v1alpha1
kind: RollbackPolicy
metadata: { name: quick, namespace: shop }
spec:
  target: { kind: Deployment, name: unwatched }
  serviceAccountName: rollback-executor
  signals: [{ name: load, prometheus: { query: up } }]
  matrix: [{ name: load, when: { signal: load, above: "1", for: 1m }, severity: SEV3, action: Notify }]
  verification:
    settle: 0s
    soak: 2s
    interval: 1s
    checks: [{ name: pods, pods: { ready: All } }, { name: version, version: {} }]
`;

describe("kubectl-rollback on StatefulSets and DaemonSets", () => {
  let world: World;
  let shop: Shop;
  let cli: Cli;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    await addNodes(world, ["node-a"]);
    shop = await openShop(world, "shop");
    cli = await userOf(world, "alice", ["shop"]);
    await world.kubectl(["apply", "-f", "-"], POLICY);
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  it.each<readonly [SetKind, string]>([
    ["StatefulSet", "sts/db"],
    ["DaemonSet", "ds/agent"],
  ])(
    "%s: revisions, plan, undo, history and the way back",
    async (kind, title) => {
      const name = title.split("/")[1] ?? "";
      const sets = setsOf(world, shop, kind);
      await sets.open(name, kind === "StatefulSet" ? { replicas: 1 } : {});
      await sets.release(container({ image: "web:v2", args: ["--fast"] }), name);
      await sets.settled(name);

      const before = await cli("revisions", title);
      expect(before.stderr).toBe("");
      expect(before.stdout).toMatch(/^2 +live .*web:v2\n1 +last-known-good,previous .*web:v1\n/m);
      const missing = await cli("revisions", `${title}x`);
      expect(missing.stderr).toContain(`${kind} ${name}x does not exist in namespace shop`);
      const plan = await cli("plan", title);
      expect(plan.stdout).toContain(`${kind}/${name}   revision 2 (v2) -> revision 1 (v1)`);

      const undo = await cli("undo", title, "--policy", "quick", "--wait", "--reason", "INC-1");
      expect({ code: undo.code, stderr: undo.stderr }).toEqual({ code: 0, stderr: "" });
      expect(imageOfSet(await sets.live(name))).toBe("web:v1");
      const request = /^request\s+(\S+)$/m.exec(undo.stdout)?.[1] ?? "";
      const status = await cli("status", request);
      expect(status.stdout).toContain(`kubectl-rollback undo ${title} --to-revision 2`);
      const history = await cli("history", title);
      expect(history.stdout).toMatch(new RegExp(`ROLLBACK \\| shop/${kind}/${name} \\| v2 -> v1 \\| INC-1`));
      const completed = await cli("__complete", "undo", title.slice(0, 4));
      expect(completed.stdout).toContain(`${title}\n`);
    },
    TEST_MS,
  );

  it(
    "undo --image puts one image back",
    async () => {
      await shop.open();
      await shop.release(container({ image: "web:v2", args: ["--fast"] }));

      const plan = await cli("plan", "deploy/web", "--image", "app=web:v1");

      expect(plan.stderr).toBe("");
      expect(plan.stdout).toContain("Deployment/web   revision 2 (v2) -> a new revision (v1)");
      const refused = await cli("undo", "deploy/web", "--image", "app=web:v9", "--wait");
      expect(refused.code).toBe(1);
      expect(refused.stdout + refused.stderr).toContain(
        "neither in the history of container app (web:v2, web:v1)",
      );
    },
    TEST_MS,
  );
});
