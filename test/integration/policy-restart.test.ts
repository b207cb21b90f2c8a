import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CRITICAL, startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { until } from "../support/world.ts";

const FOR_MS = 12_000;
const PENDING = { matrix: [{ ...CRITICAL, when: { signal: "error-rate", above: "0.10", for: "12s" } }] };

describe("an operator that is killed while a row is pending", () => {
  let lab: PolicyLab;
  let service: PolicyService;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["shop"] });
    service = await lab.service("shop");
    await service.watch(PENDING);
    await service.baked();
    await service.released();
  }, 150_000);

  afterAll(() => lab?.stop(), 60_000);

  it("acts when the row would have fired without the restart", async () => {
    service.traffic(50, 0.5);
    const pending = await service.shows("Breached", "False", "RowPending");
    await lab.operator().kill();
    const killedAt = Date.now();
    await lab.startOperator();

    const requests = await service.requested();

    expect(requests).toHaveLength(1);
    const [entry] = (await service.ledger())?.spec.automatic ?? [];
    const onset = Date.parse(entry?.trigger.breachSince ?? "");
    const decided = Date.parse(entry?.at ?? "");
    // Read back from Prometheus by a process that had not been there: the very instant that the old one saw.
    expect(onset).toBeLessThan(killedAt);
    expect(pending.message).toContain(`breaches since ${new Date(onset).toISOString().slice(11, 19)}`);
    expect(decided - onset).toBeGreaterThanOrEqual(FOR_MS);
    // A window begun anew would have fired a whole `for` after the new process came.
    expect(decided - killedAt).toBeLessThan(FOR_MS + 2_000);
  }, 120_000);

  it("makes no second request after another restart, and keeps what was known to be good", async () => {
    const before = await service.requests();
    const known = (await service.ledger())?.spec.knownGood;
    expect(known).toMatchObject([{ revision: 1 }]);
    const asked = lab.proxy("default").queries.length;
    await lab.operator().kill();
    await lab.startOperator();
    await until(
      "the new process evaluates, several times",
      async () => lab.proxy("default").queries.length,
      (count) => count > asked + 10,
      60_000,
    );
    const [request] = await service.requests();
    expect(request?.metadata.uid).toBe(before[0]?.metadata.uid);
    expect(await service.requests()).toHaveLength(1);
    const ended = await service.shop.ended(request?.metadata.name ?? "");
    expect(ended.status?.trigger).toMatchObject({ policy: "web", row: "critical" });
    expect((await service.acts()).filter(({ verb }) => verb === "patch")).toHaveLength(1);
    service.traffic(50, 0);
    expect((await service.ledger())?.spec.automatic).toHaveLength(1);
    expect((await service.ledger())?.spec.knownGood.map(({ podTemplateHash }) => podTemplateHash)).toContain(
      known?.[0]?.podTemplateHash,
    );
  }, 120_000);

  it("leaves only statuses that waiters can read", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});

describe("leadership that changes hands while a row is pending", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({ namespaces: ["released", "stopped"] });
  }, 120_000);

  afterAll(() => lab?.stop(), 60_000);

  /** A service whose row has begun to breach, and when that began. */
  async function pending(namespace: string) {
    const service = await lab.service(namespace);
    await service.watch(PENDING);
    await service.baked();
    await service.released();
    service.traffic(50, 0.5);
    const { message } = await service.shows("Breached", "False", "RowPending");
    return { service, message };
  }

  /** One decision, at the evaluation that completes the `for` of the run that the old leader saw begin. */
  async function decidedOnce({ service, message }: Awaited<ReturnType<typeof pending>>) {
    const [request] = await service.requested();
    const ended = await service.shop.ended(request?.metadata.name ?? "");
    expect(ended.status?.trigger).toMatchObject({ policy: "web", row: "critical" });
    service.traffic(50, 0);
    const entries = (await service.ledger())?.spec.automatic ?? [];
    expect(entries).toHaveLength(1);
    const onset = Date.parse(entries[0]?.trigger.breachSince ?? "");
    expect(message).toContain(`breaches since ${new Date(onset).toISOString().slice(11, 19)}`);
    const waited = Date.parse(entries[0]?.at ?? "") - onset;
    expect(waited).toBeGreaterThanOrEqual(FOR_MS);
    expect(waited).toBeLessThan(FOR_MS + 2_000);
    expect(await service.requests()).toHaveLength(1);
    expect((await service.acts()).filter(({ verb }) => verb === "patch")).toHaveLength(1);
  }

  it("neither loses nor doubles nor delays the decision when the leader ends", async () => {
    const leader = lab.operator();
    const breach = await pending("released");
    await lab.startOperator();
    await leader.stop();
    await decidedOnce(breach);
  }, 120_000);

  it("nor when the leader hangs, and comes back after another one has decided", async () => {
    const leader = lab.operator();
    const breach = await pending("stopped");
    const standby = await lab.startOperator();
    process.kill(leader.pid, "SIGSTOP");
    try {
      await breach.service.requested();
    } finally {
      process.kill(leader.pid, "SIGCONT");
    }
    // It finds that it leads no more, before it does anything else.
    expect(await leader.ended).toBe(1);
    await decidedOnce(breach);
    expect(await (await fetch(`${standby.url}/metrics`)).text()).toMatch(
      /^leader_election_master_status 1$/m,
    );
  }, 120_000);
});
