import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { addressOfThisMachine, startPodServer, type PodServer } from "../support/pod-server.ts";
import { openServedShop } from "../support/served-shop.ts";
import { readyOf } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 60_000;

type Fields = Readonly<Record<string, unknown>>;

const address = addressOfThisMachine();
if (address === undefined) {
  console.log("checks of requests by HTTP are not tested: this machine has no address but loopback");
}
const describeWithAddress = address === undefined ? describe.skip : describe;

describeWithAddress("a request with checks", () => {
  let world: World;
  let good: PodServer;

  beforeAll(async () => {
    world = await startWorld({ podIP: address ?? "" });
    good = await startPodServer(address ?? "");
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await good?.stop();
    await world?.stop();
  }, START_MS);

  beforeEach(() => good.answer("/health", (_, response) => response.end("OK\n")));

  const shopWith = (namespace: string, rights = true) => openServedShop(world, namespace, good.port, rights);
  const verification = (...list: readonly Fields[]) => ({
    verification: { settle: "0s", soak: "2s", interval: "1s", checks: list },
  });
  const health = { name: "health", http: { service: "web", path: "/health", passes: 2, of: 3 } };
  const smoke = { name: "smoke", smoke: { service: "web", requests: ["/health"] } };

  it(
    "is verified by what the restored version answers",
    async () => {
      const each = await shopWith("http-request");
      await each.release("web:v2");
      await each.ask("undo", { strategy: "Previous" }, verification(health, smoke));

      const { status } = await each.ended("undo");
      expect(status?.plan?.steps[0]?.warnings.filter((text) => text.includes("unchecked"))).toEqual([]);
      expect(status?.checks).toEqual([
        { name: "health", outcome: "Passed", value: "GET /health: good on 2 pods", samples: 3 },
        { name: "smoke", outcome: "Passed", value: "1/1 paths", samples: 3 },
      ]);
      expect(status?.conditions).toContainEqual(
        expect.objectContaining({ type: "Verified", status: "True" }),
      );
    },
    TEST_MS,
  );

  it(
    "fails when the restored version is ill too, and names the pod",
    async () => {
      good.answer("/health", (_, response) => response.writeHead(500).end());
      const each = await shopWith("http-ill");
      await each.release("web:v2");
      await each.ask("undo", { strategy: "Previous" }, verification(health));

      expect(readyOf(await each.ended("undo"))).toEqual({
        reason: "VerificationFailed",
        message: expect.stringMatching(/health GET \/health on pod web-\S+: 500, expected 200/),
      });
    },
    TEST_MS,
  );

  it(
    "is told beforehand which rights its checks lack, and goes back all the same",
    async () => {
      const each = await shopWith("http-rights", false);
      await each.release("web:v2");
      await each.ask("undo", { strategy: "Previous" }, verification(health));

      const ended = await each.ended("undo");
      expect(ended.status?.plan?.steps[0]?.warnings).toEqual([
        expect.stringMatching(
          /^unchecked: checks will be Inconclusive, as ServiceAccount http-rights\/rollback-executor may not get services web, get pods\/proxy\. Add to its Role:\n- \{apiGroups: \[""\], resources: \["services"\], verbs: \["get"\]\}\n- \{apiGroups: \[""\], resources: \["pods\/proxy"\], verbs: \["get"\]\}$/,
        ),
      ]);
      expect(readyOf(ended)).toEqual({
        reason: "RolledBack",
        message: expect.stringContaining("not verified, data was missing: health"),
      });
      expect(ended.status?.conditions).toContainEqual(
        expect.objectContaining({ type: "Verified", status: "Unknown", reason: "Inconclusive" }),
      );
    },
    TEST_MS,
  );

  it(
    "whose signal check could never give a verdict is refused before anything is done",
    async () => {
      const each = await shopWith("http-signal");
      await each.release("web:v2");
      await world.kubectl(
        ["apply", "-n", each.namespace, "-f", "-"],
        JSON.stringify({
          apiVersion: "rollback.llm-research-lab.io/v1alpha1",
          kind: "RollbackPolicy",
          metadata: { name: "web" },
          spec: {
            target: { kind: "Deployment", name: "web" },
            suspend: true,
            serviceAccountName: "rollback-executor",
            signals: [{ name: "errors", prometheus: { query: "up" } }],
            matrix: [{ name: "high", when: { signal: "errors", above: "1" }, action: "Notify" }],
          },
        }),
      );
      const latency = { name: "latency", signal: { name: "latency", below: "1" } };
      await each.ask("undo", {}, { policyRef: { name: "web" }, steps: undefined, ...verification(latency) });

      expect(readyOf(await each.ended("undo"))).toEqual({
        reason: "CannotEvaluate",
        message: expect.stringContaining(
          "check latency: RollbackPolicy web has no signal latency, only errors",
        ),
      });
      expect(await each.acts()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "bears pods that are missing for a moment only: a scale-up that finds no room fails it",
    async () => {
      const each = await shopWith("http-scale-up");
      const { namespace } = each;
      await each.release("web:v2");
      const pods = { name: "pods", pods: { ready: "All" } };
      const soak = { settle: "0s", soak: "9s", interval: "1s", checks: [pods] };
      await each.ask("undo", { strategy: "Previous" }, { verification: soak });
      await each.reaches("undo", "Verifying");
      await world.kubectl(["create", "quota", "no-more", "-n", namespace, "--hard=pods=2"]);
      const known = "--for=jsonpath={.status.hard.pods}=2";
      await world.kubectl(["wait", "-n", namespace, known, "resourcequota/no-more", "--timeout=20s"]);

      await each.edit([{ op: "replace", path: "/spec/replicas", value: 3 }]);

      expect((await each.ended("undo")).status?.checks).toEqual([
        {
          name: "pods",
          outcome: "Failed",
          value: "2/3 ready, the others just made or not there yet, for 4 samples",
          samples: expect.any(Number),
        },
      ]);
    },
    TEST_MS,
  );

  it("wrote only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});
