import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { leaseType } from "../../src/kube/well-known.ts";
import { page } from "../support/fire-lab.ts";
import type { OperatorProcess } from "../support/operator-process.ts";
import { startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { openShop, type Shop } from "../support/shop.ts";
import { until } from "../support/world.ts";

const { signal } = new AbortController();
const LEASE = { namespace: "rollback-system", name: "rollback-operator" };
const FROZEN_MS = 20_000;
const GONE_MS = 60_000;
/**
 * After the API server is back: the longest backoff (30 s), a candidate's wait for the lease (19 s), and the work itself
 * (30 s); twice that on a busy machine.
 */
const PATIENCE_MS = 2 * (30_000 + 19_000 + 30_000);

let lab: PolicyLab;
/** Breaches while there is no API server. */
let breaching: PolicyService;
/** Its request is being verified when the API server goes. */
let running: Shop;
/** Its request was just made. */
let asked: Shop;

async function open(leaderElection: object): Promise<void> {
  lab = await startPolicyLab({ namespaces: ["breaching"], config: { leaderElection } });
  breaching = await lab.service("breaching");
  await breaching.watch();
  await breaching.baked();
  await breaching.released();
  running = await openShop(lab.world, "running");
  asked = await openShop(lab.world, "asked");
  for (const shop of [running, asked]) {
    await shop.open();
    await shop.release("web:v2");
  }
  await running.ask("undo", undefined, { verification: { settle: "0s", soak: "8s", interval: "1s" } });
  await running.reaches("undo", "Verifying");
  await asked.ask("undo");
}

async function metric(operator: OperatorProcess, pattern: RegExp): Promise<number> {
  const { text } = await page(operator, "/metrics");
  return Number(pattern.exec(text)?.[1] ?? 0);
}

const leads = (operator: OperatorProcess) => metric(operator, /^leader_election_master_status (\d)$/m);
const failedCalls = (operator: OperatorProcess) =>
  metric(operator, /^rest_client_requests_total\{[^}]*code="0"\} (\d+)$/m);

/** Everything was done, each thing once. */
async function allDoneOnce(): Promise<void> {
  const [automatic] = await breaching.requested();
  // The rollback helps.
  breaching.traffic(50, 0);
  const ended = await breaching.shop.ended(automatic?.metadata.name ?? "", PATIENCE_MS);
  expect(ended.status?.phase).toBe("Succeeded");
  for (const shop of [running, asked]) {
    const { status } = await shop.ended("undo", PATIENCE_MS);
    expect(status?.phase).toBe("Succeeded");
  }
  for (const shop of [running, asked]) {
    expect((await shop.acts()).map(({ verb }) => verb)).toEqual(["patch"]);
    expect((await shop.live()).spec.template.spec.containers[0]?.image).toBe("web:v1");
  }
  // A later tick shows that the policy has nothing more to do.
  await breaching.shows("Breached", "False", "NoBreach");
  const acts = (await breaching.acts()).map(({ verb, objectRef }) => `${verb} ${objectRef?.resource ?? ""}`);
  expect(acts).toEqual(["create rollbackrequests", "patch deployments"]);
  expect(await lab.complaints()).toEqual([]);
}

afterEach(() => lab?.stop(), 60_000);

describe("an API server that is frozen for twenty seconds", () => {
  beforeEach(() => open({ leaseDuration: "60s", renewDeadline: "45s", retryPeriod: "2s" }), 180_000);

  it("keeps its leader, who says what fails and then does everything once", async () => {
    const { apiServer } = lab.world.controlPlane;
    const operator = lab.operator();
    const before = await lab.world.client.get(leaseType, LEASE, { signal });

    apiServer.freeze();
    const frozenAt = performance.now();
    breaching.traffic(50, 0.5);
    await sleep(FROZEN_MS);
    const failed = await failedCalls(operator);
    const health = await page(operator, "/healthz");
    apiServer.thaw();
    const backAt = performance.now();

    expect(backAt - frozenAt).toBeGreaterThanOrEqual(FROZEN_MS);
    expect(failed).toBeGreaterThan(0);
    expect(health.status).toBe(200);
    await allDoneOnce();
    expect(await leads(operator)).toBe(1);
    const after = await lab.world.client.get(leaseType, LEASE, { signal });
    expect(after.spec?.holderIdentity).toBe(before.spec?.holderIdentity);
    expect(after.spec?.leaseTransitions).toBe(before.spec?.leaseTransitions);
  }, 300_000);
});

describe("an API server that is killed and comes back after a minute", () => {
  // As in production.
  beforeEach(() => open({ leaseDuration: "15s", renewDeadline: "10s", retryPeriod: "2s" }), 180_000);

  it("costs the leader its lead; the next process is not ready and says why, then does everything once", async () => {
    const { apiServer } = lab.world.controlPlane;
    const leader = lab.operator();
    const before = await lab.world.client.get(leaseType, LEASE, { signal });

    await apiServer.kill();
    const goneAt = performance.now();
    breaching.traffic(50, 0.5);
    expect(await leader.ended).toBe(1);
    // The renewal under way may have been sent just before.
    expect(performance.now() - goneAt).toBeLessThan(20_000);
    // As the kubelet does.
    const operator = await lab.startOperator({}, { awaitReady: false });
    const said = await until(
      "/readyz names the failure",
      () => page(operator, "/readyz"),
      ({ status, text }) => status === 503 && /rollbackpolicies.*(refused|failed)/is.test(text),
      30_000,
    );
    expect(said.text).toContain("deployments.apps");
    await until(
      "the metrics count failures",
      () => failedCalls(operator),
      (count) => count > 0,
    );
    expect((await page(operator, "/healthz")).status).toBe(200);
    expect(await leads(operator)).toBe(0);
    await sleep(Math.max(0, GONE_MS - (performance.now() - goneAt)));
    await apiServer.restart();

    await allDoneOnce();
    expect((await page(operator, "/readyz")).status).toBe(200);
    expect(await leads(operator)).toBe(1);
    const after = await lab.world.client.get(leaseType, LEASE, { signal });
    expect(after.spec?.holderIdentity).not.toBe(before.spec?.holderIdentity);
    expect(after.spec?.leaseTransitions).toBe((before.spec?.leaseTransitions ?? 0) + 1);
  }, 300_000);
});
