import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { inParallel } from "../support/in-parallel.ts";
import { CRITICAL, startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { imageOf, readyOf } from "../support/shop.ts";
import { until } from "../support/world.ts";

const ELEVATED = {
  name: "elevated",
  when: { signal: "error-rate", above: "0.05", for: "2s" },
  severity: "SEV3",
  action: "Propose",
  expiresAfter: "20m",
};
const SEVERE = { ...CRITICAL, when: { ...CRITICAL.when, above: "0.50" } };
const NAMESPACES = ["approved", "denied", "stronger", "quick"];

describe("a row that proposes", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({
      namespaces: NAMESPACES,
      config: { limits: { automaticRollbacksPer10Minutes: 50, sharedBreachTargets: 0 } },
    });
  }, 120_000);

  afterAll(() => lab?.stop(), 60_000);

  /** Revision 1 known good, revision 2 live, a fifth of its requests bad: a proposal waits. */
  async function proposed(namespace: string, change = {}) {
    const service = await lab.service(namespace);
    await service.watch({ matrix: [ELEVATED, SEVERE], ...change });
    await service.baked();
    await service.released();
    service.traffic(50, 0.2);
    const [made] = await service.requested();
    const name = made?.metadata.name ?? "";
    const waiting = await service.shop.reaches(name, "AwaitingApproval");
    return { service, name, waiting };
  }

  async function decisionOf(service: PolicyService) {
    return (await service.policy()).status?.lastDecision;
  }

  inParallel(
    {
      "makes one request that waits, and nothing more until somebody answers; approved, it rolls back":
        async () => {
          const { service, name, waiting } = await proposed("approved");
          expect(waiting.spec).toMatchObject({
            approval: "Required",
            expiresAfter: "20m",
            severity: "SEV3",
          });
          expect(waiting.status).toMatchObject({
            trigger: { row: "elevated" },
            resolved: { automatic: true },
          });
          expect(readyOf(waiting).message).toMatch(/revision 2 \(web:v2\) -> revision 1 \(web:v1\)/);
          expect(await service.decided("Propose")).toMatchObject({ requestRef: name });
          expect(await service.told("RollbackProposed")).toHaveLength(1);
          const asked = lab.proxy("default").queries.length;
          await until(
            "many more evaluations",
            async () => lab.proxy("default").queries.length,
            (count) => count > asked + 20,
            60_000,
          );
          expect(await service.requests()).toHaveLength(1);
          expect(imageOf(await service.shop.live())).toBe("web:v2");

          await service.shop.annotate(name, {
            [REQUEST_ANNOTATIONS.approve]: waiting.status?.plan?.digest ?? "",
            [REQUEST_ANNOTATIONS.approvedBy]: "alice",
          });
          await service.shop.reaches(name, "Verifying");
          service.traffic(50, 0);
          const ended = await service.shop.ended(name);
          expect(ended.status?.phase).toBe("Succeeded");
          expect(imageOf(await service.shop.live())).toBe("web:v1");
        },

      "does not ask again for a release after it was denied": async () => {
        const { service, name } = await proposed("denied");
        await service.shop.annotate(name, { [REQUEST_ANNOTATIONS.deny]: "we look into it" });
        expect((await service.shop.ended(name)).status?.phase).toBe("Denied");
        expect(await service.held("Denied")).toContain(name);
        expect(await service.requests()).toHaveLength(1);
        expect(imageOf(await service.shop.live())).toBe("web:v2");
      },

      "gives way to a stronger row, which waits for nobody": async () => {
        const { service, name } = await proposed("stronger");
        service.traffic(50, 0.9);
        const requests = await service.requested(2);
        const act = requests.find(({ metadata }) => metadata.name !== name);
        expect(act?.spec.approval).toBe("Auto");
        const open = await service.shop.ended(name);
        expect(open.status?.phase).toBe("Superseded");
        service.traffic(50, 0);
        expect((await service.shop.ended(act?.metadata.name ?? "")).status?.phase).toBe("Succeeded");
        expect(imageOf(await service.shop.live())).toBe("web:v1");
        expect(await decisionOf(service)).toMatchObject({ verdict: "Rollback", row: "critical" });
      },

      "is superseded by the hotfix": async () => {
        const { service, name } = await proposed("quick");
        service.traffic(50, 0);
        await service.shop.release("web:v3");
        expect((await service.shop.ended(name)).status?.phase).toBe("Superseded");
        expect(imageOf(await service.shop.live())).toBe("web:v3");
      },
    },
    180_000,
  );

  it("breaks no rule of kstatus in any stored status", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});
