import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { imageOf, openShop, type Shop } from "../support/shop.ts";
import { kubectlWithPlugins, startCli, userOf, type Cli } from "../support/cli.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

/** Nothing serves its signal: here it only says who acts and how a rollback of `web` is checked, in seconds. */
const POLICY = `
apiVersion: rollback.llm-research-lab.io/v1alpha1
kind: RollbackPolicy
metadata: { name: web-policy, namespace: shop }
spec:
  target: { kind: Deployment, name: web }
  serviceAccountName: rollback-executor
  signals: [{ name: load, prometheus: { query: up } }]
  matrix: [{ name: load, when: { signal: load, above: "1", for: 1m }, severity: SEV3, action: Notify }]
  verification:
    settle: 0s
    soak: 3s
    interval: 1s
    checks: [{ name: pods, pods: { ready: All } }, { name: version, version: {} }]
`;

describe("kubectl-rollback with an operator", () => {
  const { signal } = new AbortController();
  let world: World;
  let shop: Shop;
  let cli: Cli;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    shop = await openShop(world, "shop");
    cli = await userOf(world, "alice", ["shop"]);
    await world.kubectl(["apply", "-f", "-"], POLICY);
    await Promise.all([releases("web"), releases("api"), releases("worker")]);
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  async function releases(name: string): Promise<void> {
    await shop.open(name);
    await shop.release("web:v2", name);
    await shop.release("web:v3", name);
  }

  async function requests(): Promise<readonly RollbackRequest[]> {
    return (await world.client.list(ROLLBACK_REQUESTS, { namespace: "shop", signal })).items;
  }

  function nameIn(stdout: string): string {
    return /^request\s+(\S+)$/m.exec(stdout)?.[1] ?? "";
  }

  it(
    "plan shows what would happen and leaves nothing behind",
    async () => {
      const { code, stdout, stderr } = await cli("plan", "deploy/web");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(
        /^plan [0-9a-f]{4} {3}Deployment\/web {3}revision 3 \(v3\) -> revision 2 \(v2\)\n {12}warning: .*\n/,
      );
      expect(stdout).toContain("changes     template.spec.containers[app].image\n");
      expect(await requests()).toEqual([]);
      expect(imageOf(await shop.live())).toBe("web:v3");
    },
    TEST_MS,
  );

  it(
    "undo --wait tells the story to its verified end; status, history and revisions know it afterwards",
    async () => {
      const { code, stdout, stderr } = await cli("undo", "deploy/web", "--reason", "INC-231 5xx", "--wait");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const labels = stdout.split("\n").map((line) => /^\w*/.exec(line)?.[0]);
      expect(labels).toEqual(
        expect.arrayContaining(["request", "plan", "applied", "complete", "verifying", "done"]),
      );
      expect(stdout).toMatch(/^done {8}rolled back and verified in \d+s /m);
      expect(imageOf(await shop.live())).toBe("web:v2");

      const name = nameIn(stdout);
      expect(name).toMatch(/^web-undo-[a-z0-9]{5}$/);
      const request = await shop.request(name);
      expect(request.spec).toMatchObject({
        reason: "INC-231 5xx",
        requestedBy: cli.user,
        policyRef: { name: "web-policy" },
      });

      const status = await cli("status", name);
      expect(status.code).toBe(0);
      expect(status.stdout).toContain(`${name}   Succeeded, verified   by ${cli.user}\n`);
      expect(status.stdout).toContain("what       Deployment/web   revision 3 (v3) -> revision 2 (v2)\n");
      expect(status.stdout).toContain("undo       kubectl-rollback undo deploy/web --to-revision 3\n");

      const history = await cli("history", "deploy/web");
      expect(history.stdout).toMatch(/^\S+Z \| ROLLBACK \| shop\/web \| v3 -> v2 \| INC-231 5xx\n$/);

      const revisions = await cli("revisions", "deployment/web");
      expect(revisions.stdout.split("\n")[0]).toMatch(
        /^REVISION {3}LIVE {3}UNDO --TO {3}KNOWN-GOOD {3}ROLLED-BACK-BY +AGE +IMAGES$/,
      );
      expect(revisions.stdout).toMatch(/^4 +live .*web:v2$/m);
      expect(revisions.stdout).toMatch(new RegExp(`^3 .*${name}.*web:v3$`, "m"));
      const typed = JSON.parse((await cli("revisions", "deploy/web", "-o", "json")).stdout) as unknown;
      expect(typed).toMatchObject({
        revisions: [{ revision: 4, live: true }, { revision: 3, rolledBackBy: name }, { revision: 1 }],
      });

      const again = await cli("undo", "deploy/web", "--wait");
      expect(again.code).toBe(0);
      expect(again.stdout).toContain(`already rolled back by ${name}; name a revision to go further`);
    },
    TEST_MS,
  );

  it(
    "a refusal is printed as it stands, with exit code 1, and what it names is in revisions",
    async () => {
      const { code, stderr } = await cli("undo", "deploy/api", "--to-revision", "9", "--wait");
      expect(code).toBe(1);
      expect(stderr).toBe(
        "refused, nothing was changed: Deployment/api: revision 9 is not in the history (kept: 1, 2, 3; revisionHistoryLimit 10)\n",
      );
      const plan = await cli("plan", "deploy/nothing");
      expect(plan.code).toBe(1);
      expect(plan.stderr).toContain("Deployment/nothing does not exist in namespace shop");
      const revisions = await cli("revisions", "deploy/api");
      expect(revisions.stdout).toMatch(/^3 +live /m);
      expect(revisions.stdout).toMatch(/^2 +last-known-good,previous /m);
      const missing = await cli("revisions", "deploy/nothing");
      expect(missing).toMatchObject({ code: 1, stdout: "" });
      expect(missing.stderr).toContain("Deployment nothing does not exist in namespace shop");
    },
    TEST_MS,
  );

  it(
    "undo without --wait returns with the plan; abort stops it; retry asks again under a new name",
    async () => {
      const { code, stdout, stderr } = await cli("undo", "deployments.apps/api", "--to", "previous");
      const name = nameIn(stdout);
      expect(code).toBe(0);
      expect(stdout).toContain("Deployment/api   revision 3 (v3) -> revision 2 (v2)");
      expect(stderr).toBe(
        `it goes on in the cluster; to follow it: kubectl-rollback status ${name} --watch\n`,
      );
      const early = await cli("retry", name);
      expect(early).toMatchObject({ code: 1, stdout: "" });
      expect(early.stderr).toContain(`${name} is not over`);

      expect(await cli("abort", name)).toMatchObject({
        code: 0,
        stdout: `rollbackrequest.rollback.llm-research-lab.io/${name} abort asked\n`,
      });
      const watched = await cli("status", name, "--watch");
      expect(watched.code).toBe(1);
      const ended = await shop.ended(name);
      expect(ended.status?.phase).toBe("Aborted");
      const twice = await cli("abort", name);
      expect(twice).toMatchObject({
        code: 1,
        stderr: `error: ${name} has ended already (Aborted): there is nothing to abort\n`,
      });

      const retried = await cli("retry", name, "-o", "name");
      expect(retried.stdout).toMatch(
        /^rollbackrequest\.rollback\.llm-research-lab\.io\/api-retry-[a-z0-9]{5}\n$/,
      );
    },
    TEST_MS,
  );

  it(
    "--timeout ends the wait with 4, an interrupt with 130; the rollback goes on",
    async () => {
      const late = await cli("undo", "deploy/worker", "--wait", "--timeout", "2s", "-n", "shop");
      const name = nameIn(late.stdout);
      expect(late.code).toBe(4);
      expect(late.stderr).toContain(`${name} is still Verifying after 2s; it goes on in the cluster`);
      expect(late.stderr).toContain(`kubectl-rollback status ${name} --watch -n shop`);

      const following = startCli(["status", name, "--watch"], cli.kubeconfig);
      await until(
        "progress is printed",
        async () => following.stdout(),
        (text) => text.includes("complete"),
      );
      following.kill("SIGINT");
      const { code, stderr } = await following.ended;
      expect(code).toBe(130);
      expect(stderr).toContain(`to stop it: kubectl-rollback abort ${name}`);
      expect((await shop.request(name)).status?.phase).toBe("Verifying");
    },
    TEST_MS,
  );

  it(
    "prints objects for programs, and nothing else on standard output",
    async () => {
      const { code, stdout } = await cli(
        "undo",
        "deploy/web",
        "--to-revision",
        "3",
        "--dry-run",
        "-o",
        "json",
      );
      expect(code).toBe(0);
      const request = JSON.parse(stdout) as RollbackRequest;
      expect(request).toMatchObject({
        kind: "RollbackRequest",
        spec: { dryRun: true },
        status: { phase: "Succeeded" },
      });
      const yaml = await cli("status", request.metadata.name, "-o", "yaml");
      expect(yaml.stdout).toMatch(
        /^apiVersion: rollback\.llm-research-lab\.io\/v1alpha1\nkind: RollbackRequest\n/,
      );
    },
    TEST_MS,
  );

  it(
    "completes deployments and requests, and is a plugin of kubectl",
    async () => {
      expect((await cli("__complete", "undo", "deploy/w")).stdout).toBe("deploy/web\ndeploy/worker\n:4\n");
      const names = (await requests()).map(({ metadata }) => metadata.name);
      const { stdout } = await cli("__complete", "status", "");
      expect(stdout.split("\n").slice(0, -2).sort()).toEqual(names.sort());
      const plugin = await kubectlWithPlugins(["rollback", "history", "deploy/web"], cli.kubeconfig);
      expect(plugin.stdout).toContain("| ROLLBACK | shop/web | v3 -> v2 |");
      const completed = await kubectlWithPlugins(
        ["__complete", "rollback", "undo", "deploy/a"],
        cli.kubeconfig,
      );
      expect(completed.stdout).toContain("deploy/api\n:4\n");
    },
    TEST_MS,
  );

  it(
    "doctor finds nothing wrong for this user",
    async () => {
      const { code, stdout } = await cli("doctor");
      expect(stdout).toMatch(/^CHECK +STATE +MESSAGE\nAPI server +Ok +https:\/\/\S+ answers, v1\./);
      expect(stdout).not.toContain("Failed");
      expect(stdout).toMatch(/^rights +Ok +all that the commands need in namespace shop$/m);
      expect(code).toBe(0);
    },
    TEST_MS,
  );

  it(
    "the ledger remembers requests that were deleted",
    async () => {
      for (const { metadata } of await requests())
        await world.client.delete(ROLLBACK_REQUESTS, { namespace: "shop", name: metadata.name }, { signal });
      await until("requests are gone", requests, (left) => left.length === 0);
      const { stdout } = await cli("history", "deploy/web");
      expect(stdout).toMatch(/^\S+Z \| ROLLBACK \| shop\/web \| revision 3 -> revision 4 \| INC-231 5xx\n$/);
    },
    TEST_MS,
  );
});
