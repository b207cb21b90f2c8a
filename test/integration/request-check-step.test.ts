import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { serviceType } from "../../src/kube/well-known.ts";
import { readAudit } from "../cluster/audit.ts";
import { imageOf, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, type World } from "../support/world.ts";

const START_MS = 90_000;
const TEST_MS = 120_000;

const signal = new AbortController().signal;
const undo = (name: string) => ({
  name,
  workload: { kind: "Deployment", name, to: { strategy: "Previous" } },
});
const gate = (check: PartialSpec) => ({
  name: "gate",
  check: { soak: "2s", interval: "1s", checks: [{ name: "site", ...check }] },
});

describe("a check between two steps", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** Two Deployments with a bad release each. */
  async function open(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "checks"] });
    for (const name of ["web", "worker"]) {
      await shop.open(name);
      await shop.release("web:v2", name);
    }
    return shop;
  }

  async function writtenBy({ namespace, executor }: Shop) {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit.writes({ namespace, actor: executor }).map(({ objectRef }) => objectRef?.name);
  }

  it(
    "lets the next step begin when the restored version has passed, and not before",
    async () => {
      const shop = await open("gate-passes");

      await shop.ask("undo", undefined, {
        steps: [undo("web"), gate({ version: {} }), undo("worker")],
      });
      const { status } = await shop.ended("undo");

      expect(status).toMatchObject({ phase: "Succeeded", progress: "3/3", target: "Deployment/web +1" });
      const [, gateStep, last] = status?.steps ?? [];
      expect(gateStep?.message).toMatch(/^site \w+ on 2 pods$/);
      const soaked = Date.parse(gateStep?.finishedAt ?? "") - Date.parse(gateStep?.startedAt ?? "");
      expect(soaked).toBeGreaterThanOrEqual(2_000);
      expect(Date.parse(last?.startedAt ?? "")).toBeGreaterThanOrEqual(
        Date.parse(gateStep?.finishedAt ?? ""),
      );
      expect(await writtenBy(shop)).toEqual(["web", "worker"]);
    },
    TEST_MS,
  );

  it(
    "ends the request before the next step when data is missing, and says what stays",
    async () => {
      const shop = await open("gate-no-data");
      const { namespace } = shop;
      const spec = { selector: { app: "nobody" }, ports: [{ port: 80 }] };
      await world.client.create(serviceType, { metadata: { namespace, name: "web" }, spec }, { signal });

      await shop.ask("undo", undefined, {
        steps: [undo("web"), gate({ http: { service: "web", path: "/health" } }), undo("worker")],
      });
      const ended = await shop.ended("undo");

      expect(ended.status).toMatchObject({
        phase: "Failed",
        progress: "1/3",
        steps: [{ state: "Succeeded" }, { state: "Failed" }, { state: "Pending" }],
      });
      expect(readyOf(ended)).toMatchObject({
        reason: "CheckInconclusive",
        message:
          "step gate (2 of 3): data was missing: site no pod of Service web is Ready; the change of step web stays",
      });
      expect(imageOf(await shop.live("web"))).toBe("web:v1");
      expect(imageOf(await shop.live("worker"))).toBe("web:v2");
      expect(await writtenBy(shop)).toEqual(["web"]);
    },
    TEST_MS,
  );

  it(
    "is refused before anything is changed when its soak cannot end in time",
    async () => {
      const shop = await open("gate-too-long");
      const long = { ...gate({ version: {} }), timeout: "2s" };

      await shop.ask("undo", undefined, { steps: [undo("web"), long] });
      const ended = await shop.ended("undo");

      expect(readyOf(ended)).toMatchObject({
        reason: "InvalidSteps",
        message: expect.stringContaining(
          "step gate: settle 0s and soak 2s take longer than its timeout of 2s",
        ),
      });
      expect(await writtenBy(shop)).toEqual([]);
    },
    TEST_MS,
  );
});
