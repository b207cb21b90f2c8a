import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import { readFile, writeFile } from "node:fs/promises";
import { ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import { openShop } from "../support/shop.ts";
import { startCli, userOf, type Cli } from "../support/cli.ts";
import { startWorld, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

describe("kubectl-rollback where something is missing", () => {
  const { signal } = new AbortController();
  let world: World;
  let editor: Cli;
  let stranger: Cli;

  beforeAll(async () => {
    world = await startWorld();
    const shop = await openShop(world, "shop");
    editor = await userOf(world, "alice", ["shop"]);
    stranger = await userOf(world, "mallory", []);
    await shop.open();
    await shop.release("web:v2");
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  it(
    "no operator: says so after ten seconds, what to check, and how to take the request back",
    async () => {
      const began = performance.now();
      const { code, stdout, stderr } = await editor("undo", "deploy/web");
      expect(code).toBe(4);
      expect(performance.now() - began).toBeLessThan(15_000);
      const name = /^request\s+(\S+)$/m.exec(stdout)?.[1];
      expect(stderr).toContain(`no operator has looked at ${name} within 10 s: check that it runs`);
      expect(stderr).toContain(`to take it back: kubectl-rollback abort ${name}`);

      const doctor = await editor("doctor");
      expect(doctor.code).toBe(1);
      expect(doctor.stdout).toMatch(
        /^operator +Failed +does not seem to run: rollbackrequests\S+ web-undo-\S+ has no status/m,
      );
    },
    TEST_MS,
  );

  it(
    "no operator: plan removes its dry run all the same",
    async () => {
      const { code, stderr } = await editor("plan", "deploy/web");
      expect({ code, stderr }).toEqual({
        code: 4,
        stderr: 'no plan within 10 s: check that an operator runs, with "kubectl-rollback doctor"\n',
      });
      const { items } = await world.client.list(ROLLBACK_REQUESTS, { namespace: "shop", signal });
      expect(items.filter(({ spec }) => spec.dryRun)).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "no right: names the rule, in one line",
    async () => {
      const { code, stdout, stderr } = await stranger("undo", "deploy/web", "-n", "shop");
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe(
        `error: ${stranger.user} may not create rollbackrequests in namespace shop: ask an admin for the rule {apiGroups: ["rollback.llm-research-lab.io"], resources: [rollbackrequests], verbs: [create]}, or check all rights with "kubectl-rollback doctor"\n`,
      );
      const doctor = await stranger("doctor", "-n", "shop", "-o", "json");
      expect(doctor.code).toBe(1);
      expect(JSON.parse(doctor.stdout)).toContainEqual({
        check: "rights",
        state: "Failed",
        message:
          "missing in namespace shop for undo, plan, retry, status, abort, status --watch, history, plan (to remove its dry run): {apiGroups: [rollback.llm-research-lab.io], resources: [rollbackrequests], verbs: [create, get, watch, list, patch, delete]}",
      });
    },
    TEST_MS,
  );

  it(
    "a name that does not exist: says where to look",
    async () => {
      const { code, stderr } = await editor("status", "no-such");
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr:
          'error: RollbackRequest no-such does not exist in namespace shop: "kubectl get rbr" lists them\n',
      });
    },
    TEST_MS,
  );

  it(
    "no kubeconfig, no context, no server: one sentence each",
    async () => {
      const gone = await editor("history", "--kubeconfig", "/no/such/file");
      expect(gone).toMatchObject({
        code: 1,
        stderr: "error: kubeconfig /no/such/file does not exist: check --kubeconfig\n",
      });

      const context = await editor("history", "--context", "elsewhere");
      expect(context.code).toBe(1);
      expect(context.stderr).toMatch(
        /^error: kubeconfig \S+ has no context "elsewhere"; "kubectl config get-contexts" .*\n$/,
      );

      const dead = join(world.controlPlane.dir, "dead.kubeconfig");
      const text = await readFile(editor.kubeconfig, "utf8");
      await writeFile(dead, text.replace(world.controlPlane.server, "https://127.0.0.1:1"), { mode: 0o600 });
      const server = await startCli(["history"], dead).ended;
      expect(server.code).toBe(1);
      expect(server.stderr).toMatch(
        /^error: the API server https:\/\/127\.0\.0\.1:1 does not answer \(.*\): check the server and the context of your kubeconfig\n$/,
      );

      const token = join(world.controlPlane.dir, "stale.kubeconfig");
      await writeFile(token, text.replace(/"token":"[^"]+"/, '"token":"stale"'), { mode: 0o600 });
      const stale = await startCli(["history"], token).ended;
      expect(stale.stderr).toContain("does not accept your credentials: log in again");
    },
    TEST_MS,
  );

  it(
    "wrong usage is 2",
    async () => {
      expect((await editor("undo", "web")).code).toBe(2);
      expect((await editor("undo", "deploy/web", "--to", "oldest")).code).toBe(2);
      expect((await editor("--help")).code).toBe(0);
    },
    TEST_MS,
  );

  it(
    "no CRDs: says who installs them",
    async () => {
      await world.kubectl(["delete", "-f", "deploy/crds", "--wait=true"]);
      const { code, stderr } = await editor("undo", "deploy/web", "--no-policy");
      expect(code).toBe(1);
      expect(stderr).toBe(
        'error: the cluster does not know rollbackrequests.rollback.llm-research-lab.io: its CRD is not installed (an admin runs "kubectl apply -f deploy/crds")\n',
      );
      const doctor = await editor("doctor");
      expect(doctor.stdout).toMatch(/^CRD rollbackrequests +Failed +not installed/m);
    },
    TEST_MS,
  );
});
