import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { createChecks } from "../../src/checks/registry.ts";
import { classify } from "../../src/checks/pod-answer.ts";
import type { CheckSample } from "../../src/checks/check.ts";
import { HttpCheck, SmokeCheck } from "../../src/crds/pod-checks.ts";
import { podType } from "../../src/kube/well-known.ts";
import { liveRevision, revisionsOf, toRef } from "../../src/workloads/revisions.ts";
import { addressOfThisMachine, startPodServer, type PodServer } from "../support/pod-server.ts";
import { addService, openServedShop } from "../support/served-shop.ts";
import { container, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

type Fields = Readonly<Record<string, unknown>>;

const address = addressOfThisMachine();
if (address === undefined) {
  console.log(
    "the http checks are not tested against the API server: this machine has no address but loopback",
  );
}
const describeWithAddress = address === undefined ? describe.skip : describe;
const checks = createChecks({ sample: () => Promise.reject(new Error("no signals")), lookbackMs: () => 0 });

/** Real requests through the real API server; the pods are simulated, a server of this test has their address. */
describeWithAddress("checks by HTTP", () => {
  const signal = new AbortController().signal;
  let world: World;
  /** The restored version. */
  let good: PodServer;
  /** The version that was rolled back, on a port of its own. */
  let bad: PodServer;
  let shop: Shop;

  beforeAll(async () => {
    world = await startWorld({ podIP: address ?? "" });
    [good, bad] = await Promise.all([startPodServer(address ?? ""), startPodServer(address ?? "")]);
    shop = await shopWith("http-checks");
  }, START_MS);

  afterAll(async () => {
    await Promise.all([good?.stop(), bad?.stop()]);
    await world?.stop();
  }, START_MS);

  beforeEach(() => {
    for (const server of [good, bad]) server.answer("/health", (_, response) => response.end("OK\n"));
  });

  const shopWith = (namespace: string, rights = true) => openServedShop(world, namespace, good.port, rights);
  const service = (spec: Fields, name: string) => addService(world, shop.namespace, spec, name);
  const executor = (namespace = shop.namespace) => world.client.as({ namespace, name: "rollback-executor" });

  async function sample(
    check: { readonly http: Fields } | { readonly smoke: Fields },
    of: Shop = shop,
  ): Promise<CheckSample> {
    const deployment = await of.live();
    const live = liveRevision(deployment, revisionsOf(deployment, await of.replicaSets()));
    const kind =
      "http" in check
        ? { http: HttpCheck.parse({ service: "web", path: "/health", ...check.http }) }
        : { smoke: SmokeCheck.parse({ service: "web", ...check.smoke }) };
    return checks.sample(
      { name: "c", ...kind },
      {
        executor: executor(of.namespace),
        namespace: of.namespace,
        restored: [{ kind: "Deployment", name: "web", revision: toRef(live!) }],
        signals: [],
        now: Date.now(),
        signal,
      },
    );
  }

  describe("an application that answers", () => {
    it("as expected passes, on every pod of the Service", async () => {
      const before = good.seen.length;

      expect(await sample({ http: { expect: { status: [200], body: { equals: "OK" } } } })).toEqual({
        outcome: "Pass",
        value: "GET /health: good on 2 pods",
      });
      expect(good.seen.length - before).toBe(2);
    });

    it("sees a plain GET: the way there keeps credentials and identities to itself", async () => {
      await sample({ http: { path: "/health?full=1&name=a%20b" } });

      const { url, method, headers } = good.seen.at(-1)!;
      expect({ url, method }).toEqual({ url: "/health?full=1&name=a%20b", method: "GET" });
      expect(
        Object.keys(headers).filter((name) => /^(authorization|impersonate|cookie|x-remote)/.test(name)),
      ).toEqual([]);
    });

    it("badly fails, with what it said", async () => {
      good.answer("/health", (_, response) => response.writeHead(503).end("database is away"));

      expect(await sample({ http: {} })).toEqual({
        outcome: "Fail",
        value: expect.stringMatching(/^GET \/health on pod web-\S+: 503, expected 200$/),
      });
      good.answer("/health", (_, response) => response.end("database\nis away"));
      expect((await sample({ http: { expect: { body: { equals: "OK" } } } })).value).toContain(
        'body "database is away", expected "OK"',
      );
      good.answer("/health", (_, response) => response.end('{"status":"degraded"}'));
      expect(
        (await sample({ http: { expect: { json: { pointer: "/status", equals: "healthy" } } } })).value,
      ).toContain('/status is "degraded", expected "healthy"');
    });

    it("by a redirect is not followed, wherever it leads", async () => {
      const before = bad.seen.length;
      const location = `http://${address}:${bad.port}/health`;
      good.answer("/health", (_, response) => response.writeHead(302, { location }).end());

      expect(await sample({ http: {} })).toEqual({
        outcome: "Fail",
        value: expect.stringContaining("302 (redirects are not followed), expected 200"),
      });
      expect(await sample({ http: { expect: { status: [302] } } })).toMatchObject({ outcome: "Pass" });
      expect(bad.seen.length).toBe(before);
    });

    it("slower than its latency allows fails", async () => {
      good.answer("/health", (_, response) => void setTimeout(() => response.end("OK"), 150));

      expect(await sample({ http: { latency: "50ms" } })).toEqual({
        outcome: "Fail",
        value: expect.stringMatching(/200 after \d+ms, expected within 50ms$/),
      });
      expect(await sample({ http: { latency: "5s" } })).toMatchObject({ outcome: "Pass" });
    });

    it("but never ends fails", async () => {
      good.answer("/health", (_, response) => void response.write("O"));

      expect(await sample({ http: { timeout: "300ms" } })).toEqual({
        outcome: "Fail",
        value: expect.stringContaining("200, but the answer did not end within 300ms"),
      });
    });

    it("without end is read up to a bound, and let go of", async () => {
      const closed = Promise.withResolvers<number>();
      good.answer("/health", (_, response) => {
        let written = 0;
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(16_384))) written += 16_384;
        };
        response.on("drain", more).on("close", () => closed.resolve(written));
        more();
      });

      expect(await sample({ http: { expect: { body: { equals: "OK" } } } })).toEqual({
        outcome: "Fail",
        value: expect.stringMatching(/: body "x{99}…", expected "OK"$/),
      });
      // Only what fits into the buffers on the way was ever made.
      expect(await closed.promise).toBeLessThan(64 * 1024 * 1024);
      expect(await sample({ http: { expect: { json: { pointer: "", equals: "x" } } } })).toEqual({
        outcome: "NoVerdict",
        value: expect.stringContaining("longer than 64 KiB"),
      });
    });

    it("now and then is judged by its share", async () => {
      let count = 0;
      good.answer("/health", (_, response) => {
        count += 1;
        response.writeHead(count % 3 === 1 ? 500 : 200).end();
      });
      // One pod, so that the order of answers is known.
      await scaleTo(1);
      expect(await sample({ http: { passes: 2, of: 3 } })).toMatchObject({ outcome: "Pass" });
      expect(count).toBe(3);

      count = 0;
      expect(await sample({ http: { passes: 3, of: 3 } })).toEqual({
        outcome: "Fail",
        value: expect.stringContaining("500, expected 200; 0 of 1 good, 3 of 3 needed"),
      });
      await scaleTo(2);
    });
  });

  async function scaleTo(replicas: number): Promise<void> {
    await shop.edit([{ op: "replace", path: "/spec/replicas", value: replicas }]);
    await until(
      `${replicas} pods`,
      () => world.client.list(podType, { namespace: shop.namespace, labelSelector: "app=web", signal }),
      ({ items }) => items.length === replicas && items.every(({ status }) => status?.podIP !== undefined),
    );
  }

  describe("nobody knows whether the application is well", () => {
    it("when it does not begin to answer", async () => {
      good.answer("/health", () => {});

      expect(await sample({ http: { timeout: "300ms" } })).toEqual({
        outcome: "NoVerdict",
        value: expect.stringMatching(/^GET \/health on pod web-\S+: no answer within 300ms$/),
      });
    });

    it("when nothing listens there: the API server's word is not the application's", async () => {
      const closed = await startPodServer(address ?? "");
      await closed.stop();
      await service({ ports: [{ port: 80, targetPort: closed.port }] }, "closed");

      expect(await sample({ http: { service: "closed", expect: { status: [503] } } })).toEqual({
        outcome: "NoVerdict",
        value: expect.stringMatching(
          /the API server says 503: error trying to reach service.*connection refused/,
        ),
      });
    });

    it("when its pod has just gone", async () => {
      const key = { namespace: shop.namespace, name: "web-gone" };
      const answer = await executor().getFromPod(key, 80, "/", {
        signal,
        deadlineMs: 5_000,
        maxBytes: 65_536,
      });

      expect(answer.code).toBe(404);
      expect(classify(answer)).toEqual({
        kind: "Unclear",
        why: 'the API server says 404: pods "web-gone" not found',
      });
    });

    it.each([200, 403, 503])("when it answers %d in the API server's own words", async (code) => {
      const forged = { kind: "Status", apiVersion: "v1", status: "Success", message: "all is well", code };
      good.answer("/health", (_, response) => {
        response.writeHead(code, { "content-type": "application/json", "audit-id": "mine" });
        response.end(JSON.stringify(forged));
      });

      expect(await sample({ http: { expect: { status: [code] } } })).toEqual({
        outcome: "NoVerdict",
        value: expect.stringContaining(`the API server says ${code}: all is well`),
      });
    });

    it.each([
      ["there is no such Service", { service: "gone" }, "Service gone does not exist"],
      ["the Service has no such port", { port: "grpc" }, "Service web has no port grpc, only http (80)"],
      ["the port is not of the Service", { port: 8080 }, "Service web has no port 8080, only http (80)"],
    ])("when %s", async (_, spec, value) => {
      expect(await sample({ http: spec })).toEqual({ outcome: "NoVerdict", value });
    });

    it("when the Service cannot say which pods or which port", async () => {
      await service({ selector: undefined, ports: [{ port: 80 }] }, "manual");
      const ports = [
        { name: "http", port: 80 },
        { name: "admin", port: 81 },
      ];
      await service({ ports }, "several");
      await service({ selector: { app: "nobody" }, ports: [{ port: 80 }] }, "empty");
      await service({ ports: [{ port: 80, targetPort: "grpc" }] }, "unnamed");

      const values = await Promise.all(
        ["manual", "several", "empty", "unnamed"].map(async (name) => sample({ http: { service: name } })),
      );

      expect(values).toEqual([
        { outcome: "NoVerdict", value: "Service manual has no selector" },
        {
          outcome: "NoVerdict",
          value: "Service several has several ports: set port to one of http (80), admin (81)",
        },
        { outcome: "NoVerdict", value: "no pod of Service empty is Ready" },
        { outcome: "NoVerdict", value: "no container has the port grpc of Service unnamed" },
      ]);
    });
  });

  it("smoke tests tell each path that failed", async () => {
    for (const path of ["/models", "/datasets"])
      good.answer(path, (_, response) => response.writeHead(204).end());
    good.answer("/prompts", (_, response) => response.writeHead(500).end());

    expect(await sample({ smoke: { requests: ["/models", "/datasets"] } })).toEqual({
      outcome: "Pass",
      value: "2/2 paths",
    });
    const { outcome, value } = await sample({ smoke: { requests: ["/models", "/prompts", "/nowhere"] } });
    expect(outcome).toBe("Fail");
    expect(value).toMatch(
      /^1\/3 paths; GET \/prompts on pod web-\S+: 500, expected 2xx; GET \/nowhere on pod web-\S+: 404, expected 2xx$/,
    );
  });

  it(
    "asks pods of the restored version only, also while the other one is still there",
    async () => {
      const other = await shopWith("http-versions");
      await other.edit([
        { op: "add", path: "/spec/strategy", value: { rollingUpdate: { maxUnavailable: 0 } } },
      ]);
      // A third version that never gets Ready keeps the pods of the second one where they are.
      bad.answer("/health", (_, response) => response.writeHead(500).end());
      await other.release(container({ image: "web:v2", ports: [{ name: "http", containerPort: bad.port }] }));
      const before = bad.seen.length;
      expect(await sample({ http: {} }, other)).toMatchObject({ outcome: "Fail" });
      expect(bad.seen.length).toBeGreaterThan(before);

      await other.release(
        container({ image: "web:slow", ports: [{ name: "http", containerPort: good.port }] }),
      );

      expect(await sample({ http: {} }, other)).toEqual({
        outcome: "NoVerdict",
        value: "none of the 2 Ready pods of Service web runs the restored version",
      });
    },
    TEST_MS,
  );

  it("holds no connection to a pod when all is over", async () => {
    good.answer("/health", (_, response) => void response.write("x"));
    expect(await sample({ http: { timeout: "200ms" } })).toMatchObject({ outcome: "Fail" });

    await until(
      "every connection of an unfinished answer is closed",
      good.unfinished,
      (count) => count === 0,
    );
  });
});
