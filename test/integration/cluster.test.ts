import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { request } from "node:https";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { actorOf, awaitWrites } from "../cluster/audit.ts";
import { type ControlPlane, startControlPlane } from "../cluster/control-plane.ts";
import { identify } from "../cluster/processes.ts";
import { waitFor } from "../cluster/readiness.ts";

const START_MS = 60_000;

describe("the control plane for tests", () => {
  let controlPlane: ControlPlane;

  beforeAll(async () => {
    controlPlane = await startControlPlane();
  }, START_MS);

  afterAll(async () => {
    await controlPlane?.stop();
  }, START_MS);

  it("runs the real controllers: a Deployment gets a ReplicaSet and pods", async () => {
    const created = await call(
      controlPlane,
      "POST",
      "/apis/apps/v1/namespaces/default/deployments",
      deployment("web"),
    );
    expect(created.code).toBe(201);
    const pods = await eventually(controlPlane, "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb", 2);
    expect(pods).toHaveLength(2);
    const replicaSets = await eventually(controlPlane, "/apis/apps/v1/namespaces/default/replicasets", 1);
    expect(replicaSets).toMatchObject([
      { metadata: { ownerReferences: [{ kind: "Deployment", name: "web" }] } },
    ]);
  });

  it("records every write with who made it, and nothing that was only read", async () => {
    await call(controlPlane, "POST", "/apis/apps/v1/namespaces/default/deployments", deployment("audited"));
    await call(controlPlane, "GET", "/apis/apps/v1/namespaces/default/deployments/audited");
    const filter = { apiGroup: "apps", resource: "deployments", subresource: "", name: "audited" };
    const writes = await awaitWrites(controlPlane.auditLogPath, { ...filter, user: "admin" });
    expect(writes.map(({ verb }) => verb)).toEqual(["create"]);

    const owned = await awaitWrites(controlPlane.auditLogPath, { resource: "replicasets", verb: "create" });
    expect(new Set(owned.map(actorOf))).toEqual(
      new Set(["system:serviceaccount:kube-system:deployment-controller"]),
    );
  });

  it("tells the credentials used from the user impersonated", async () => {
    const path = "/api/v1/namespaces/default/configmaps";
    const body = { metadata: { name: "by-joe" } };
    const refused = await call(controlPlane, "POST", path, body, { "impersonate-user": "joe" });
    expect(refused.code).toBe(403);
    const filter = { resource: "configmaps", actor: "joe", user: "admin", acceptedOnly: false };
    expect(await awaitWrites(controlPlane.auditLogPath, filter)).toMatchObject([
      { verb: "create", responseStatus: { code: 403 } },
    ]);
  });

  it("issues service account tokens that RBAC judges", async () => {
    const path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    const { code, body } = await call(controlPlane, "POST", path, { spec: {} });
    expect(code).toBe(201);
    const { status } = body as { readonly status: { readonly token: string } };
    const asAccount = { authorization: `Bearer ${status.token}` };
    const secrets = await call(
      controlPlane,
      "GET",
      "/api/v1/namespaces/default/secrets",
      undefined,
      asAccount,
    );
    expect(secrets.code).toBe(403);
    expect(secrets.body).toMatchObject({
      message: expect.stringContaining("system:serviceaccount:default:default"),
    });
  });

  it(
    "gives each test its own: two at once do not meet, and stop leaves neither process nor file",
    async () => {
      const other = await startControlPlane();
      const names = await call(other, "GET", "/apis/apps/v1/namespaces/default/deployments");
      expect(names.body).toMatchObject({ items: [] });
      const pids = Object.values(other.pids);
      expect(pids).toHaveLength(3);
      await other.stop();
      await other.stop();
      expect(pids.map(identify)).toEqual([undefined, undefined, undefined]);
      expect(existsSync(other.dir)).toBe(false);
    },
    START_MS,
  );

  it(
    "says in the server's own words why it did not start",
    async () => {
      const start = startControlPlane({ apiServerArgs: ["--no-such-flag"] });
      await expect(start).rejects.toThrow(/kube-apiserver ended[^]*unknown flag: --no-such-flag/);
    },
    START_MS,
  );

  it(
    "ends with the process that started it, even when that is killed",
    async () => {
      const script = `
      const { startControlPlane } = await import(process.argv[1]);
      const { pids } = await startControlPlane();
      console.log(JSON.stringify(Object.values(pids)));
      process.kill(process.pid, "SIGKILL");`;
      const args = ["--input-type=module", "-e", script, resolve("test/cluster/control-plane.ts")];
      const stdout = await promisify(execFile)(process.execPath, args).then(
        () => "",
        (error: { readonly stdout: string }) => error.stdout,
      );
      const pids = JSON.parse(stdout) as readonly number[];
      expect(pids).toHaveLength(3);
      const gone = async (): Promise<boolean> => pids.every((pid) => identify(pid) === undefined);
      await waitFor("the orphans end", gone, { timeoutMs: 5000 });
    },
    START_MS,
  );
});

function deployment(name: string): unknown {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: "app", image: "example" }] } };
  return { metadata: { name, labels }, spec: { replicas: 2, selector: { matchLabels: labels }, template } };
}

interface Answer {
  readonly code: number;
  readonly body: unknown;
}

async function eventually(target: ControlPlane, path: string, count: number): Promise<readonly unknown[]> {
  let items: readonly unknown[] = [];
  const enough = async (): Promise<boolean> => {
    ({ items } = (await call(target, "GET", path)).body as { readonly items: readonly unknown[] });
    return items.length >= count;
  };
  await waitFor(`${count} items at ${path}`, enough, { timeoutMs: 10_000 });
  return items;
}

function call(
  target: ControlPlane,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(path, target.server),
      {
        method,
        ca: target.caData,
        agent: false,
        headers: {
          authorization: `Bearer ${target.adminToken}`,
          "content-type": "application/json",
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          resolve({
            code: response.statusCode ?? 0,
            body: JSON.parse(Buffer.concat(chunks).toString("utf8")),
          });
        });
      },
    );
    outgoing.once("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
