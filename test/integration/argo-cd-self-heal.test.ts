import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { API_VERSION } from "../../src/crds/common.ts";
import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import { ARGO_CD_ACCOUNT, startArgoCd, type ArgoCd, webManifest } from "../support/argo-cd.ts";
import { lacksOfArgoCd, tellSkipped } from "../support/argo-cd-lacks.ts";
import { imageOf, openShop, readyOf } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 180_000;
const TEST_MS = 180_000;

const lacks = lacksOfArgoCd();
tellSkipped("what self-heal of Argo CD does is not tested, it cannot be run here", lacks);
const describeWithArgoCd = lacks === "" ? describe : describe.skip;

/** What docs/gitops.md says of the real Argo CD, without any hold of ours. */
describeWithArgoCd("self-heal of the real Argo CD", () => {
  let world: World;
  let argo: ArgoCd;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
    const { data } = parse(readFileSync("deploy/argo-cd/argocd-cm.yaml", "utf8")) as {
      readonly data: Readonly<Record<string, string>>;
    };
    argo = await startArgoCd(world, { settings: data });
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await world?.stop();
  }, START_MS);

  async function writesTo(namespace: string, actor: string): Promise<readonly AuditEvent[]> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit.writes({ resource: "deployments", subresource: "", namespace, actor });
  }

  it(
    "a live undo is taken back by self-heal within seconds, and the operator knows whose the target is",
    async () => {
      const shop = await openShop(world, "healed");
      const { repository } = argo;
      const first = await repository.commit("Release v1", { "healed/web.json": webManifest("web:v1") });
      await argo.create({ name: "healed", into: "healed", path: "healed", automated: { selfHeal: true } });
      await argo.synced("healed", first);
      const second = await repository.commit("Release v2", { "healed/web.json": webManifest("web:v2") });
      await argo.synced("healed", second);
      await until(
        "v2 is complete",
        () => shop.live(),
        (live) => imageOf(live) === "web:v2" && live.status?.updatedReplicas === 1,
      );
      const before = (await writesTo("healed", ARGO_CD_ACCOUNT)).length;

      await world.kubectl(["rollout", "undo", "deployment/web", "-n", "healed"]);
      const undoneAt = Date.now();

      await until(
        "Git's version is back",
        async () => ({ live: await shop.live(), writes: await writesTo("healed", ARGO_CD_ACCOUNT) }),
        ({ live, writes }) => imageOf(live) === "web:v2" && writes.length > before,
        60_000,
      );
      const healed = (await writesTo("healed", ARGO_CD_ACCOUNT))[before];
      const tookMs = Date.parse(healed?.requestReceivedTimestamp ?? "") - undoneAt;
      console.log(`self-heal undid a rollout undo after ${(tookMs / 1000).toFixed(1)} s`);

      await shop.ask("undo", { strategy: "Previous" });
      expect(readyOf(await shop.ended("undo"))).toEqual({
        reason: "TargetOwned",
        message: expect.stringContaining("Application healed"),
      });
      expect(await shop.acts()).toEqual([]);
    },
    TEST_MS,
  );

  it(
    "without automated sync a live undo stays, and the Application is out of sync",
    async () => {
      const shop = await openShop(world, "paused");
      const first = await argo.repository.commit("v1", { "paused/web.json": webManifest("web:v1") });
      await argo.create({ name: "paused", into: "paused", path: "paused", automated: { selfHeal: true } });
      await argo.synced("paused", first);
      await argo.synced(
        "paused",
        await argo.repository.commit("v2", { "paused/web.json": webManifest("web:v2") }),
      );
      const value = { spec: { syncPolicy: { automated: { enabled: false } } } };
      await world.kubectl([
        "patch",
        "application",
        "paused",
        "-n",
        "argocd",
        "--type=merge",
        "-p",
        JSON.stringify(value),
      ]);
      await until(
        "v2 is taken up",
        () => shop.live(),
        (live) => imageOf(live) === "web:v2" && live.status?.observedGeneration === live.metadata.generation,
      );
      const before = (await writesTo("paused", ARGO_CD_ACCOUNT)).length;

      await world.kubectl(["rollout", "undo", "deployment/web", "-n", "paused"]);

      await argo.outOfSync("paused");
      // Looked at twice more, which is when self-heal would act.
      for (let look = 0; look < 2; look += 1) {
        await argo.refresh("paused");
        await argo.shows(
          "paused",
          "has been compared",
          ({ metadata }) => metadata.annotations?.["argocd.argoproj.io/refresh"] === undefined,
        );
      }
      expect(imageOf(await shop.live())).toBe("web:v1");
      expect(await writesTo("paused", ARGO_CD_ACCOUNT)).toHaveLength(before);
    },
    TEST_MS,
  );

  it(
    "a policy that is suspended live stays so, unless Git says otherwise",
    async () => {
      const { repository } = argo;
      const shop = await openShop(world, "resumed");
      await shop.open();
      const policy = (spec: object) => ({
        "resumed/policy.json": JSON.stringify({
          apiVersion: API_VERSION,
          kind: "RollbackPolicy",
          metadata: { name: "web" },
          spec: {
            target: { kind: "Deployment", name: "web" },
            mode: "Observe",
            signals: [{ name: "crash-loop", pods: { waiting: "CrashLoopBackOff" } }],
            matrix: [
              {
                name: "broken",
                when: { signal: "crash-loop", above: "0" },
                severity: "SEV1",
                action: "Notify",
              },
            ],
            ...spec,
          },
        }),
      });
      const suspended = async () =>
        (await world.kubectl(["get", "rbp", "web", "-n", "resumed", "-o", "jsonpath={.spec.suspend}"])) ===
        "true";
      const silent = await repository.commit("Policy", policy({}));
      await argo.create({ name: "resumed", into: "resumed", path: "resumed", automated: { selfHeal: true } });
      await argo.synced("resumed", silent);

      // What the action `suspend` writes.
      const patch = JSON.stringify({ spec: { suspend: true } });
      await world.kubectl(["patch", "rbp", "web", "-n", "resumed", "--type=merge", "-p", patch]);

      await argo.shows("resumed", "is suspended", ({ status }) => status?.health?.status === "Suspended");
      await argo.synced("resumed", silent);
      expect(await suspended()).toBe(true);

      await argo.synced("resumed", await repository.commit("Resume", policy({ suspend: false })));
      expect(await suspended()).toBe(false);
      await world.kubectl(["patch", "rbp", "web", "-n", "resumed", "--type=merge", "-p", patch]);
      await until("self-heal resumes it", suspended, (is) => !is, 60_000);
    },
    TEST_MS,
  );
});
