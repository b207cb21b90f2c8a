import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { APPLICATIONS } from "../../src/gitops/kinds.ts";
import { startHoldLab, type HoldLab } from "../support/hold-lab.ts";
import { inParallel } from "../support/in-parallel.ts";
import { imageOf, readyOf, type Shop } from "../support/shop.ts";

const START_MS = 120_000;
const TEST_MS = 120_000;
const { signal } = new AbortController();

describe("a rollback that Argo CD would undo", () => {
  let lab: HoldLab;

  beforeAll(async () => {
    lab = await startHoldLab();
  }, START_MS);

  afterAll(async () => {
    await lab?.stop();
  }, START_MS);

  /** Of a request that changed and stopped nothing. */
  async function refusal(shop: Shop): Promise<string> {
    await lab.ask(shop);
    const ended = await shop.ended("undo");
    expect(ended.status?.phase).toBe("Failed");
    expect(imageOf(await shop.live())).toBe("web:v2");
    const key = { namespace: "argocd", name: shop.namespace };
    const live = await lab.world.client.tryGet(APPLICATIONS, key, { signal });
    expect(live?.spec.syncPolicy?.automated?.enabled).not.toBe(false);
    return readyOf(ended).message;
  }

  inParallel(
    {
      "is not set against the policy of what is changed, whatever other policy is named": async () => {
        const shop = await lab.open("refused-by-own", "Refuse");
        await lab.gitOps.application("refused-by-own", "refused-by-own", { consent: "refused-by-own/other" });
        const policy = {
          apiVersion: "rollback.llm-research-lab.io/v1alpha1",
          kind: "RollbackPolicy",
          metadata: { name: "other", namespace: "refused-by-own" },
          spec: {
            target: { kind: "Deployment", name: "other" },
            signals: [{ name: "errors", prometheus: { query: "vector(0)" } }],
            matrix: [{ name: "row", when: { signal: "errors", above: "1" }, action: "Notify" }],
            guards: { gitOps: "Hold" },
          },
        };
        await lab.world.kubectl(["apply", "-f", "-"], JSON.stringify(policy));

        await lab.ask(shop, "undo", { policyRef: { name: "other" } });
        const ended = await shop.ended("undo");

        expect([ended.status?.phase, readyOf(ended).reason]).toEqual(["Failed", "TargetOwned"]);
        expect(imageOf(await shop.live())).toBe("web:v2");
      },

      "is refused without consent, with the command that gives it": async () => {
        const shop = await lab.open("silent");
        await lab.gitOps.application("silent", "silent", { consent: null });

        expect(await refusal(shop)).toContain(
          "kubectl annotate application -n argocd silent rollback.llm-research-lab.io/consent=silent/web",
        );
      },

      "is refused where the policy says so, which is the default": async () => {
        const shop = await lab.open("refusing", "Refuse");
        await lab.gitOps.application("refusing", "refusing");

        expect(await refusal(shop)).toContain('set "gitOps: Hold"');
      },

      "is refused where the Application does not list the target": async () => {
        const shop = await lab.open("unlisted");
        await lab.gitOps.application("unlisted", "unlisted", { lists: false });

        expect(await refusal(shop)).toContain("which does not list it");
      },

      "is refused where the Application is in another cluster": async () => {
        expect(await refusal(await lab.open("elsewhere"))).toContain("is not in this cluster");
      },

      "is refused where an ApplicationSet would start it again": async () => {
        const shop = await lab.open("generated");
        await lab.world.kubectl(
          ["apply", "-f", "-"],
          JSON.stringify({
            apiVersion: "argoproj.io/v1alpha1",
            kind: "ApplicationSet",
            metadata: { namespace: "argocd", name: "all" },
            spec: {
              generators: [],
              template: {
                metadata: { name: "x" },
                spec: { project: "default", destination: { name: "here" } },
              },
            },
          }),
        );
        await lab.gitOps.application("generated", "generated", {
          ownerReferences: [
            { apiVersion: "argoproj.io/v1alpha1", kind: "ApplicationSet", name: "all", uid: "u" },
          ],
        });

        expect(await refusal(shop)).toMatch(
          /ApplicationSet argocd\/all would start it again: .*ignoreApplicationDifferences/,
        );
      },
    },
    TEST_MS,
  );
});
