import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { answerRefreshes, installGitOps, type GitOpsWorld } from "../support/gitops.ts";
import { inParallel } from "../support/in-parallel.ts";
import { startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { imageOf } from "../support/shop.ts";
import { until } from "../support/world.ts";

const HOLDING = { settle: "0s", cooldown: "30m", maxPerDay: 3, maxBreachAge: "20m", gitOps: "Hold" };

describe("a breach of what an Application applies", () => {
  let lab: PolicyLab;
  let gitOps: GitOpsWorld;
  const argoCd = new AbortController();
  let answering: Promise<void> | undefined;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["held", "unasked"] });
    gitOps = await installGitOps(lab.world);
    answering = answerRefreshes(lab.world.client, argoCd.signal);
  }, 120_000);

  afterAll(async () => {
    argoCd.abort();
    await answering;
    await lab?.stop();
  }, 60_000);

  /** Its Deployment carries the mark of an Application of the same name. */
  async function open(namespace: string, consent?: null): Promise<PolicyService> {
    const service = await lab.service(namespace);
    const id = `${namespace}:apps/Deployment:${namespace}/web`;
    await service.shop.edit([
      { op: "add", path: "/metadata/annotations/argocd.argoproj.io~1tracking-id", value: id },
    ]);
    await gitOps.application(namespace, namespace, consent === null ? { consent } : {});
    await service.watch({ guards: HOLDING });
    await service.baked();
    return service;
  }

  inParallel(
    {
      "is rolled back by itself, and held until Git agrees": async () => {
        const service = await open("held");
        await service.released();

        service.traffic(50, 0.5);
        const [request] = await service.requested();
        service.traffic(50, 0);
        const name = request?.metadata.name ?? "";
        const done = await service.shop.reaches(name, "Succeeded");

        expect(done.status?.holds).toMatchObject([{ kind: "Application", name: "held", state: "Held" }]);
        expect(imageOf(await service.shop.live())).toBe("web:v1");
        expect((await gitOps.liveApplication("held")).spec.syncPolicy?.automated?.enabled).toBe(false);
        const page = await fetch(`${lab.operator().url}/metrics`).then((answer) => answer.text());
        expect(page).toContain('rollback_holds{kind="Application"} 1');
        expect(page).toMatch(/rollback_hold_age_seconds\{kind="Application"\} \d*\.?\d+/);

        await gitOps.compared("held", "held", "Synced", Date.now() + 10_000);
        const ended = await service.shop.ended(name);
        expect(ended.status?.conditions?.find(({ type }) => type === "Persisted")?.status).toBe("True");
        expect((await gitOps.liveApplication("held")).spec.syncPolicy?.automated?.enabled).toBeUndefined();
      },

      "is not, without the consent of the Application, which its policy says before anything happens":
        async () => {
          const service = await open("unasked", null);
          await service.shop.release("web:v2");
          const shown = await until(
            "RollbackReady says what is missing",
            () => service.policy(),
            ({ status }) =>
              status?.conditions?.some(
                ({ type, status: value, message }) =>
                  type === "RollbackReady" && value === "False" && message.includes("/consent=unasked/web"),
              ) === true,
            60_000,
          );
          expect(shown.status?.release?.revision).toBe(2);

          service.traffic(50, 0.5);
          const held = await service.held("NotReady");
          service.traffic(50, 0);

          expect(held).toContain("has not agreed to be stopped");
          expect(await service.requests()).toEqual([]);
          expect(imageOf(await service.shop.live())).toBe("web:v2");
        },
    },
    150_000,
  );
});
