import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { automaticRequestName } from "../../src/decision/request-name.ts";
import { startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";

describe("somebody who foresees the name of the next automatic request and takes it", () => {
  let lab: PolicyLab;
  let service: PolicyService;
  let name: string;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["shop"] });
    service = await lab.service("shop");
    await service.watch();
    await service.baked();
    await service.released();
    const live = await service.shop.live();
    const { release } = (await service.policy()).status ?? {};
    name = automaticRequestName({
      targetUid: live.metadata.uid,
      targetName: "web",
      replicaSetUid: release?.replicaSetUid ?? "",
      revision: release?.revision ?? 0,
      attempt: 1,
    });
    // All that can be known beforehand; what was measured cannot.
    const { podTemplateHash } = release ?? {};
    await service.shop.ask(
      name,
      { strategy: "LastKnownGood" },
      { policyRef: { name: "web" }, expect: { podTemplateHash }, severity: "SEV1", dryRun: true },
    );
    expect((await service.shop.ended(name)).status?.phase).toBe("Succeeded");
  }, 150_000);

  afterAll(() => lab?.stop(), 60_000);

  it("does not delay the rollback: it is made at once under another name, and told", async () => {
    service.traffic(50, 0.5);
    const requests = await service.requested(2);
    service.traffic(50, 0);
    const made = requests.find(({ metadata }) => metadata.name !== name);
    const ended = await service.shop.ended(made?.metadata.name ?? "");
    expect(ended.status).toMatchObject({
      phase: "Succeeded",
      trigger: { policy: "web", row: "critical" },
      resolved: { automatic: true },
    });
    const entries = (await service.ledger())?.spec.automatic ?? [];
    expect(entries).toMatchObject([{ request: made?.metadata.name, uid: made?.metadata.uid, attempt: 2 }]);
    const created = Date.parse(made?.metadata.creationTimestamp ?? "");
    expect(created - Date.parse(entries[0]?.at ?? "")).toBeLessThan(2_000);
    expect(await service.notes("RequestNameTaken")).toEqual([expect.stringContaining(name)]);
    const { status } = await service.policy();
    expect(status?.lastDecision).toMatchObject({ verdict: "Rollback", requestRef: made?.metadata.name });
  }, 90_000);

  it("is never taken for the operator: the request stays a person's", async () => {
    const squatter = await service.shop.request(name);
    expect(squatter.status?.trigger).toBeUndefined();
    expect(squatter.status?.resolved?.automatic).not.toBe(true);
    expect((await service.acts()).filter(({ verb }) => verb === "patch")).toHaveLength(1);
    expect(await service.requests()).toHaveLength(2);
  });
});
