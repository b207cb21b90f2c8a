import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { KubeClient } from "./client.ts";
import { staticCredentials } from "./credentials.ts";
import { isApiNotServed, isNotFound } from "./errors.ts";
import { createKubeClient } from "./http-client.ts";
import { applyPatch, jsonPatch, jsonPointer, mergePatch } from "./patch.ts";
import { systemClock } from "./clock.ts";
import {
  json,
  notFound,
  reset,
  startScriptedServer,
  status,
  type ScriptedServer,
} from "./testing/scripted-server.ts";
import { createTransport, type Transport } from "./transport.ts";
import { configMapType, deploymentType, namespaceType, secretType, type ConfigMap } from "./well-known.ts";

let server: ScriptedServer;
let transport: Transport;
let client: KubeClient;
const call = { signal: new AbortController().signal };
const key = { namespace: "n", name: "a" };

beforeEach(async () => {
  server = await startScriptedServer();
  const clock = systemClock();
  const credentials = staticCredentials({ server: server.url });
  transport = createTransport({
    credentials,
    clock,
    random: () => 0,
    userAgent: "test",
    backoff: { baseMs: 0, maxMs: 0 },
  });
  client = createKubeClient({ transport, clock });
});

afterEach(async () => {
  await transport.close();
  await server.close();
});

function configMap(name: string, version = "1"): ConfigMap {
  const metadata = { name, namespace: "n", uid: "u", resourceVersion: version, creationTimestamp: "" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { k: "v" } };
}

const last = () => {
  const { method, path, query, headers, body } = server.requests.at(-1)!;
  return {
    at: `${method} ${path}`,
    query: query.toString(),
    type: headers["content-type"],
    body: body === "" ? undefined : JSON.parse(body),
  };
};

describe("reads", () => {
  it("keeps fields that no type names", async () => {
    const object = { ...configMap("a"), fieldOfTomorrow: { x: [1, null] } };
    server.script(json(200, object));
    expect(await client.get(configMapType, key, call)).toEqual(object);
  });

  it("tells an absent object from an absent kind", async () => {
    server.script(notFound("configmaps", "a"), notFound("configmaps", "a"));
    expect(await client.tryGet(configMapType, key, call)).toBeUndefined();
    expect(isNotFound(await client.get(configMapType, key, call).catch((error: unknown) => error))).toBe(
      true,
    );
    server.script((response) => void response.writeHead(404).end("404 page not found\n"));
    const error = await client.tryGet(configMapType, key, call).catch((error: unknown) => error);
    expect(isApiNotServed(error)).toBe(true);
  });

  it("asks for metadata only", async () => {
    server.script(json(200, { kind: "PartialObjectMetadata" }));
    await client.getMetadata(secretType, key, call);
    expect(server.requests[0]!.headers.accept).toBe(
      "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    );
  });

  it("collects pages, and fills in the kind that lists leave out", async () => {
    const { apiVersion: _, kind: __, ...bare } = configMap("a");
    server.script(
      json(200, { metadata: { resourceVersion: "7", continue: "c" }, items: [bare] }),
      json(200, { metadata: { resourceVersion: "7" }, items: null }),
    );
    const list = await client.list(configMapType, {
      ...call,
      namespace: "n",
      labelSelector: "a in (b,c)",
      limit: 2,
    });
    expect(list).toEqual({ items: [configMap("a")], resourceVersion: "7" });
    expect(last().query).toBe("limit=2&continue=c&labelSelector=a+in+%28b%2Cc%29");
  });

  it("starts a list again once when its token expired", async () => {
    const first = json(200, { metadata: { resourceVersion: "7", continue: "c" }, items: [configMap("old")] });
    const expired = status(410, "Expired", "The provided continue parameter is too old");
    server.script(
      first,
      expired,
      json(200, { metadata: { resourceVersion: "9" }, items: [configMap("new")] }),
    );
    const list = await client.list(configMapType, call);
    expect(list.items.map((each) => each.metadata.name)).toEqual(["new"]);
    server.script(first, expired, first, expired);
    await expect(client.list(configMapType, call)).rejects.toMatchObject({ code: 410 });
  });

  it("gets raw paths", async () => {
    server.script((response) => void response.writeHead(200, { "content-type": "text/plain" }).end("ok"));
    expect(await client.getPath("/healthz", { verbose: "1" }, call)).toBe("ok");
    expect(last()).toMatchObject({ at: "GET /healthz", query: "verbose=1" });
  });
});

describe("writes", () => {
  beforeEach(() => server.script(json(200, {})));

  it("create", async () => {
    await client.create(
      configMapType,
      { metadata: { namespace: "n", generateName: "x-" }, data: {} },
      { ...call, dryRun: true, fieldManager: "me" },
    );
    expect(last()).toEqual({
      at: "POST /api/v1/namespaces/n/configmaps",
      query: "dryRun=All&fieldManager=me",
      type: "application/json",
      body: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { namespace: "n", generateName: "x-" },
        data: {},
      },
    });
  });

  it("create of a cluster-scoped kind", async () => {
    await client.create(namespaceType, { metadata: { name: "n" } }, call);
    expect(last().at).toBe("POST /api/v1/namespaces");
  });

  it("replace, and replace of the status", async () => {
    await client.replace(configMapType, configMap("a", "5"), call);
    expect(last()).toMatchObject({ at: "PUT /api/v1/namespaces/n/configmaps/a", body: configMap("a", "5") });
    server.script(json(200, {}));
    await client.replaceStatus(configMapType, configMap("a", "5"), call);
    expect(last().at).toBe("PUT /api/v1/namespaces/n/configmaps/a/status");
  });

  it.each([
    [
      jsonPatch({ op: "test", path: jsonPointer("metadata", "labels", "a/b~c"), value: 1 }),
      "application/json-patch+json",
      [{ op: "test", path: "/metadata/labels/a~1b~0c", value: 1 }],
    ],
    [mergePatch({ a: null }), "application/merge-patch+json", { a: null }],
    [
      applyPatch({ spec: {} }),
      "application/apply-patch+yaml",
      { apiVersion: "apps/v1", kind: "Deployment", spec: {} },
    ],
  ])("patch %#", async (patch, type, body) => {
    await client.patch(deploymentType, key, patch, {
      ...call,
      subresource: "scale",
      force: true,
      fieldManager: "me",
    });
    expect(last()).toEqual({
      at: "PATCH /apis/apps/v1/namespaces/n/deployments/a/scale",
      query: "fieldManager=me&force=true",
      type,
      body,
    });
  });

  it("delete with preconditions", async () => {
    await client.delete(configMapType, key, {
      ...call,
      preconditions: { uid: "u" },
      propagation: "Foreground",
    });
    expect(last()).toMatchObject({
      at: "DELETE /api/v1/namespaces/n/configmaps/a",
      body: { preconditions: { uid: "u" }, propagationPolicy: "Foreground" },
    });
  });

  it("acts as a service account, in watches and reviews too", async () => {
    const impersonated = client.as({ namespace: "shop", name: "deployer" });
    await impersonated.get(configMapType, key, call);
    server.script(
      json(201, { status: { allowed: false, reason: "no rule" } }),
      status(403, "Forbidden", "no"),
    );
    expect(await impersonated.canI({ verb: "get", resource: "pods" }, call)).toEqual({
      allowed: false,
      reason: "no rule",
    });
    const watch = impersonated.watch(configMapType, {
      ...call,
      resourceVersion: "1",
      timeoutSeconds: 1,
      stallMs: 1_000,
    });
    await expect(watch[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 403 });
    const users = server.requests.map((each) => each.headers["impersonate-user"]);
    expect(users).toEqual(Array.from({ length: 3 }, () => "system:serviceaccount:shop:deployer"));
  });
});

describe("repeats", () => {
  it.each([
    ["a compare-and-set", () => client.replace(configMapType, configMap("a"), call), 1],
    ["a JSON patch", () => client.patch(configMapType, key, jsonPatch(), call), 1],
    [
      "a JSON patch that may be",
      () => client.patch(configMapType, key, jsonPatch(), { ...call, idempotent: true }),
      2,
    ],
    ["an apply", () => client.patch(configMapType, key, applyPatch({}), call), 2],
    ["a delete by name", () => client.delete(configMapType, key, call), 1],
    ["a delete by UID", () => client.delete(configMapType, key, { ...call, preconditions: { uid: "u" } }), 2],
  ])("%s", async (_what, write, requests) => {
    server.script(reset("before headers"), json(200, {}));
    await write().catch(() => {});
    expect(server.requests).toHaveLength(requests);
  });
});

describe("a GET to a pod", () => {
  const limits = { ...call, deadlineMs: 2_000, maxBytes: 8 };
  const ask = (path = "/health?full=1") =>
    client.getFromPod({ namespace: "n", name: "web-1" }, 8080, path, limits);

  it("goes through the API server as the account, and is given back as it came", async () => {
    server.script(json(418, "tea", { "x-app": "1" }));

    const answer = await client
      .as({ namespace: "n", name: "rollback-executor" })
      .getFromPod({ namespace: "n", name: "web-1" }, 8080, "/health?full=1", limits);

    expect(last().at).toBe("GET /api/v1/namespaces/n/pods/web-1%3A8080/proxy/health");
    expect(last().query).toBe("full=1");
    expect(server.requests.at(-1)?.headers["impersonate-user"]).toBe(
      "system:serviceaccount:n:rollback-executor",
    );
    expect(answer).toMatchObject({ code: 418, headers: { "x-app": "1" }, end: "Whole" });
    expect(Buffer.from(answer.body).toString()).toBe('"tea"');
  });

  it("is sent once, whatever the answer", async () => {
    server.script(status(503, "ServiceUnavailable", "not now"));

    expect(await ask()).toMatchObject({ code: 503, end: "Cut" });
    expect(server.requests).toHaveLength(1);

    server.script(reset("before headers"));
    await expect(ask()).rejects.toMatchObject({ reason: "ConnectionLost" });
    expect(server.requests).toHaveLength(2);
  });

  it("is cut at its bound to the byte", async () => {
    server.script(
      (response) => void response.end("12345678"),
      (response) => void response.end("123456789"),
    );

    expect(await ask()).toMatchObject({ end: "Whole" });
    const cut = await ask();
    expect(cut.end).toBe("Cut");
    expect(Buffer.from(cut.body).toString()).toBe("12345678");
  });

  it("ends when its caller gives up, and never leaves for a crooked path", async () => {
    const abort = new AbortController();
    server.script((response) => {
      response.write("1");
      abort.abort();
    });
    const given = client.getFromPod({ namespace: "n", name: "web-1" }, 80, "/", {
      ...limits,
      signal: abort.signal,
    });

    await expect(given).rejects.toMatchObject({ reason: "Aborted" });
    await expect(ask("/../../nodes")).rejects.toMatchObject({ reason: "BadName" });
    expect(server.requests).toHaveLength(1);
  });
});
