import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import type { Rollout } from "../../src/kube/rollout-types.ts";
import { readAudit } from "../cluster/audit.ts";
import { installRouteCrds } from "../support/route-crds.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { installArgoRolloutsCrds, startArgoRollouts, type ArgoRollouts } from "../support/argo-rollouts.ts";
import {
  blueGreen,
  imageOfRollout,
  isNoNudge,
  PAUSED_CANARY,
  PLAIN_CANARY,
  rolloutsOf,
  type Rollouts,
} from "../support/rollouts.ts";
import { openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 120_000;
const TEST_MS = 180_000;

/** The real controller of Argo Rollouts, with pods whose readiness is played. */
describe("a Rollout of Argo Rollouts", () => {
  let world: World;
  let argo: ArgoRollouts | undefined;
  let shop: Shop;
  let rollouts: Rollouts;

  beforeAll(async () => {
    world = await startWorld();
    await Promise.all([installArgoRolloutsCrds(world.kubectl), installRouteCrds(world.kubectl)]);
    argo = await startArgoRollouts(world);
    shop = await openShop(world, "rollouts", { actions: ["workload", "rollout"] });
    rollouts = rolloutsOf(world, shop);
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await world?.stop();
  }, START_MS);

  const ask = (name: string, to: object = { strategy: "Previous" }, more: object = {}) =>
    shop.ask(name, undefined, { steps: [{ name: "app", workload: { kind: "Rollout", name, to } }], ...more });

  async function undone(name: string, to?: object): Promise<RollbackRequest> {
    await ask(name, to);
    return shop.ended(name);
  }

  const hashOf = ({ status }: Rollout) => status?.currentPodHash ?? "";
  const warningsOf = ({ status }: RollbackRequest) => status?.plan?.steps[0]?.warnings.join("; ");

  it(
    "in the middle of a canary: aborted first, then the stable template",
    async () => {
      const stable = await rollouts.open("paused", PAUSED_CANARY);
      await rollouts.release("web:v2", "paused");
      await until(
        "the canary waits",
        () => rollouts.live("paused"),
        ({ status }) => status?.phase === "Paused",
      );

      const ended = await undone("paused");

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(ended.status?.checks?.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
        "pods Passed",
        "version Passed",
      ]);
      expect(warningsOf(ended)).toMatch(/aborted first.*revision 1 is the stable one/);
      const live = await rollouts.live("paused");
      expect([imageOfRollout(live), hashOf(live), live.status?.stableRS, live.status?.abort]).toEqual([
        "web:v1",
        hashOf(stable),
        hashOf(stable),
        undefined,
      ]);
      expect(await rollouts.acts("paused", 2)).toEqual(["status", ""]);
      expect(await rollouts.replicaSets("paused")).toHaveLength(2);
    },
    TEST_MS,
  );

  it(
    "in the middle of a canary with traffic of its own: the template goes when no route leads to the canary any more",
    async () => {
      const { namespace } = shop;
      const service = (name: string) => ({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name },
        spec: { selector: { app: "routed" }, ports: [{ port: 80 }] },
      });
      const to = (host: string, weight: number) => ({ destination: { host }, weight });
      const routes = {
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: "routed" },
        spec: {
          hosts: ["routed"],
          http: [{ name: "main", route: [to("routed-stable", 100), to("routed-canary", 0)] }],
        },
      };
      const items = [service("routed-stable"), service("routed-canary"), routes];
      await world.kubectl(
        ["apply", "-n", namespace, "-f", "-"],
        JSON.stringify({ apiVersion: "v1", kind: "List", items }),
      );
      const weights = async () => {
        const path = "{.spec.http[0].route[*].weight}";
        return world.kubectl(["get", "vs/routed", "-n", namespace, "-o", `jsonpath=${path}`]);
      };
      await rollouts.open("routed", {
        canary: {
          ...PAUSED_CANARY.canary,
          stableService: "routed-stable",
          canaryService: "routed-canary",
          dynamicStableScale: true,
          trafficRouting: { istio: { virtualService: { name: "routed", routes: ["main"] } } },
        },
      });
      await rollouts.release("web:v2", "routed");
      await until("the canary has half of the traffic", weights, (seen) => seen === "50 50");

      const ended = await undone("routed");

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(await weights()).toBe("100 0");
      expect(imageOfRollout(await rollouts.healthy("routed"))).toBe("web:v1");
      expect(await rollouts.acts("routed", 2)).toEqual(["status", ""]);
      const audit = await readAudit(world.controlPlane.auditLogPath);
      const moved = audit.writes({ namespace, resource: "virtualservices", name: "routed" }).at(-1);
      const [, template] = audit
        .writes({ namespace, resource: "rollouts", name: "routed", actor: shop.executor })
        .filter(isNoNudge);
      const movedAt = Date.parse(moved?.stageTimestamp ?? "");
      expect(movedAt).toBeLessThanOrEqual(Date.parse(template?.requestReceivedTimestamp ?? ""));
    },
    TEST_MS,
  );

  it(
    "goes back to what is stable, not to a version that was aborted in between",
    async () => {
      await rollouts.open("tried", PAUSED_CANARY);
      await rollouts.release("web:v2", "tried");
      await rollouts.editStatus({ abort: true }, "tried");
      await rollouts.release("web:v3", "tried");

      const ended = await undone("tried", { strategy: "LastKnownGood" });

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(imageOfRollout(await rollouts.healthy("tried"))).toBe("web:v1");
    },
    TEST_MS,
  );

  it(
    "promoted, with a rollbackWindow: at once, past a step that would wait for ever",
    async () => {
      await rollouts.open("window", PAUSED_CANARY, { rollbackWindow: { revisions: 3 } });
      // Argo Rollouts goes by the age of ReplicaSets in whole seconds.
      await aSecondLater();
      await rollouts.promote("web:v2", "window");

      const ended = await undone("window");

      expect(readyOf(ended).reason).toBe("RolledBack");
      expect(warningsOf(ended)).toContain("within the rollbackWindow");
      expect(imageOfRollout(await rollouts.healthy("window"))).toBe("web:v1");
      expect(await rollouts.acts("window", 1)).toEqual([""]);
    },
    TEST_MS,
  );

  it(
    "promoted, without a window: through its steps again, as the plan says; done once promoted",
    async () => {
      await rollouts.open("steps", PAUSED_CANARY);
      await rollouts.promote("web:v2", "steps");

      await ask("steps");
      await until(
        "the way back waits at the pause",
        () => rollouts.live("steps"),
        ({ status }) => status?.phase === "Paused",
      );
      const waiting = await until(
        "the request says so",
        () => shop.request("steps"),
        ({ status }) => /Paused: CanaryPauseStep/.test(JSON.stringify(status?.conditions)),
      );
      expect(warningsOf(waiting)).toMatch(/all 2 steps of the canary again.*promote steps --full/);
      await rollouts.editStatus({ promoteFull: true }, "steps");

      expect(readyOf(await shop.ended("steps")).reason).toBe("RolledBack");
      expect(imageOfRollout(await rollouts.healthy("steps"))).toBe("web:v1");
    },
    TEST_MS,
  );

  it(
    "a revision by its number, an image by its name, and expect by the hash of Argo Rollouts",
    async () => {
      const { metadata } = await rollouts.open("named", PLAIN_CANARY);
      const second = await rollouts.promote("web:v2", "named");
      await rollouts.promote("web:v3", "named");

      await ask("named-stale", undefined, {
        steps: [{ name: "app", workload: { kind: "Rollout", name: "named", to: { revision: 1 } } }],
        expect: { podTemplateHash: hashOf(second) },
      });
      expect((await shop.ended("named-stale")).status?.phase).toBe("Superseded");

      const pin = { image: { container: "app", image: "web:v2" } };
      const ended = await undone("named", pin);

      expect(readyOf(ended).reason).toBe("RolledBack");
      const live = await rollouts.healthy("named");
      expect([imageOfRollout(live), hashOf(live), live.metadata.uid]).toEqual([
        "web:v2",
        hashOf(second),
        metadata.uid,
      ]);
    },
    TEST_MS,
  );

  it(
    "finds the ReplicaSet again that the controller has put labels of its own on",
    async () => {
      const marked = {
        canary: {
          steps: [{ setWeight: 50 }, { pause: {} }],
          stableMetadata: { labels: { role: "stable" }, annotations: { told: "stable" } },
          canaryMetadata: { labels: { role: "canary" } },
        },
      };
      const stable = await rollouts.open("marked", marked);
      await rollouts.release("web:v2", "marked");

      expect(readyOf(await undone("marked")).reason).toBe("RolledBack");

      expect(hashOf(await rollouts.healthy("marked"))).toBe(hashOf(stable));
      expect(await rollouts.replicaSets("marked")).toHaveLength(2);
    },
    TEST_MS,
  );

  it(
    "blue/green before the switch: the Service never moves",
    async () => {
      const stable = await rollouts.open("preview", blueGreen("preview", { autoPromotionEnabled: false }));
      await rollouts.release("web:v2", "preview");
      await until(
        "the new colour waits",
        () => rollouts.live("preview"),
        ({ status }) => status?.phase === "Paused",
      );

      expect(readyOf(await undone("preview")).reason).toBe("RolledBack");

      expect(await rollouts.traffic("preview")).toEqual({ hash: hashOf(stable), ready: 2 });
      expect(await rollouts.acts("preview", 1)).toEqual([""]);
    },
    TEST_MS,
  );

  describe("that cannot be put back through its own spec", () => {
    it(
      "is refused when it is paused, and nothing is changed",
      async () => {
        await rollouts.open("held", PLAIN_CANARY);
        await rollouts.promote("web:v2", "held");
        await rollouts.edit([{ op: "add", path: "/spec/paused", value: true }], "held");

        const ended = await undone("held");

        expect(readyOf(ended)).toMatchObject({
          reason: "Paused",
          message: expect.stringContaining("kubectl patch rollout held"),
        });
        expect(imageOfRollout(await rollouts.live("held"))).toBe("web:v2");
      },
      TEST_MS,
    );

    it(
      "is refused with an antiAffinity, which would make another version of the old template",
      async () => {
        const antiAffinity = { preferredDuringSchedulingIgnoredDuringExecution: { weight: 1 } };
        await rollouts.open("apart", { canary: { antiAffinity } });
        await rollouts.promote("web:v2", "apart");

        expect(readyOf(await undone("apart")).reason).toBe("AntiAffinity");
        expect(await rollouts.replicaSets("apart")).toHaveLength(2);
      },
      TEST_MS,
    );

    it(
      "is refused when its template is that of a Deployment, on either of the two",
      async () => {
        await shop.open("referred");
        await shop.release("web:v2", "referred");
        await world.kubectl(
          ["apply", "-n", shop.namespace, "-f", "-"],
          JSON.stringify({
            apiVersion: "argoproj.io/v1alpha1",
            kind: "Rollout",
            metadata: { name: "referring" },
            spec: {
              replicas: 1,
              selector: { matchLabels: { app: "referred" } },
              workloadRef: { apiVersion: "apps/v1", kind: "Deployment", name: "referred" },
              strategy: PLAIN_CANARY,
            },
          }),
        );
        await rollouts.healthy("referring");

        for (const [kind, name] of [
          ["Rollout", "referring"],
          ["Deployment", "referred"],
        ]) {
          const steps = [{ name: "app", workload: { kind, name, to: { strategy: "Previous" } } }];
          await shop.ask(`of-${name}`, undefined, { steps });

          expect(readyOf(await shop.ended(`of-${name}`))).toMatchObject({
            reason: "TargetOwned",
            message: expect.stringContaining("kubectl argo rollouts undo referring"),
          });
        }
      },
      TEST_MS,
    );
  });

  it("wrote only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});

/** Until the API server gives another second to what it creates. */
async function aSecondLater(): Promise<void> {
  const begun = Math.floor(Date.now() / 1_000);
  await until(
    "another second",
    async () => Math.floor(Date.now() / 1_000),
    (now) => now > begun,
  );
}
