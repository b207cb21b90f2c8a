import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { RollbackPolicyStatus } from "../../src/crds/policy-status.ts";
import { changeLedger } from "../../src/controllers/ledger/ledger.ts";
import { inParallel } from "../support/in-parallel.ts";
import { kubeletOf } from "../support/kubelet.ts";
import { startPolicyLab, type PolicyLab, type PolicyService } from "../support/policy-lab.ts";
import { historyOf, RELEASED_AGO_S, type Failing } from "../support/runbook-history.ts";
import type { PartialSpec } from "../support/shop.ts";
import { imageOf } from "../support/shop.ts";
import { installReportCrd, reportOn } from "../support/trivy.ts";
import { until } from "../support/world.ts";

/**
 * Policies without a matrix: each row of the runbook is made to happen. What takes minutes lies in the past of Prometheus,
 * and is read back as after a restart of the operator; the ledger says that the release came before it.
 */

const prometheus = (source: PartialSpec) => ({ prometheus: { ...source, minimumRequests: 20 } });
const match = { app: "web" };
const BAD = 'http_requests_total{status="500"}';

const SIGNALS = {
  "error-rate": prometheus({ ratio: { bad: BAD, total: "http_requests_total", window: "1m" }, match }),
  "p95-latency": prometheus({
    quantile: { quantile: "0.95", histogram: "request_seconds", window: "1m" },
    match,
  }),
  "endpoint-errors": prometheus({
    ratio: { bad: BAD, total: "http_requests_total", window: "1m", by: ["route"] },
    match,
  }),
  "data-corruption": prometheus({ query: 'max(corrupted_rows{app="web"})' }),
  "oom-kills": { pods: { terminated: "OOMKilled", distinctPods: 2 } },
  vulnerabilities: { vulnerabilityReports: { severity: "Critical" } },
} as const;
const RESTARTED = "kubectl.kubernetes.io/restartedAt";
type SignalName = keyof typeof SIGNALS;

const FAILING: readonly Failing[] = [
  { namespace: "critical", failed: { "/": 0.3, "/models": 0.3 } },
  { namespace: "elevated", failed: { "/": 0.07, "/models": 0.07 } },
  { namespace: "latency", slow: 0.2 },
  { namespace: "endpoint", failed: { "/models": 0.5 } },
  { namespace: "partial", failed: { "/models": 0.5 } },
  { namespace: "corrupted", corrupted: 3 },
  { namespace: "restore", corrupted: 3 },
];

type Decision = NonNullable<RollbackPolicyStatus["lastDecision"]>;

describe("the runbook's matrix, which a policy without one has", () => {
  let lab: PolicyLab;

  beforeAll(async () => {
    lab = await startPolicyLab({
      namespaces: [],
      history: historyOf(FAILING, Math.floor(Date.now() / 15_000) * 15),
      servers: { default: { scrapeInterval: "15s" } },
      config: { limits: { automaticRollbacksPer10Minutes: 50 } },
    });
    await installReportCrd(lab.world.kubectl);
  }, 150_000);

  afterAll(() => lab?.stop(), 60_000);

  /** Revision 1 is known good, revision 2 live since some minutes, and a policy begins to watch it. */
  async function watched(namespace: string, signals: readonly SignalName[], change: PartialSpec = {}) {
    const service = await lab.service(namespace);
    const { shop } = service;
    await shop.release("web:v2");
    const sets = await shop.replicaSets();
    const live = await shop.live();
    const releases = ["web:v1", "web:v2"].map((image, index) => {
      const set = sets.find((each) => imageOf(each) === image);
      const podTemplateHash = set?.metadata.labels?.["pod-template-hash"] ?? "";
      const identity = { replicaSetUid: set?.metadata.uid ?? "", podTemplateHash, revision: index + 1 };
      const ago = index === 0 ? 3_600 : RELEASED_AGO_S;
      return { ...identity, at: new Date(Date.now() - ago * 1_000).toISOString() };
    });
    await changeLedger(
      lab.world.client,
      { group: "apps", kind: "Deployment", namespace, name: "web" },
      (before) => ({
        ...before,
        releases: releases.map(({ at, ...identity }) => ({
          ...identity,
          targetUid: live.metadata.uid,
          startedAt: at,
        })),
        knownGood: releases
          .slice(0, 1)
          .map(({ at, ...identity }) => ({ ...identity, since: at, evidence: "the test says so" })),
      }),
      new AbortController().signal,
    );
    await service.watch({
      matrix: undefined,
      interval: "5s",
      bake: "1h",
      signals: signals.map((name) => ({ name, ...SIGNALS[name] })),
      ...change,
    });
    return service;
  }

  async function rolledBack(service: PolicyService): Promise<Decision> {
    const decision = await service.decided("Rollback");
    await until(
      `${service.namespace} is back`,
      () => service.shop.live(),
      (live) => imageOf(live) === "web:v1",
      60_000,
    );
    return decision;
  }

  inParallel(
    {
      "error rate > 10 % for 2 m: rolls back at once": async () => {
        const service = await watched("critical", ["error-rate"]);
        expect((await rolledBack(service)).row).toBe("error-rate-critical");
        const { status } = await service.policy();
        expect(status?.matrix).toEqual([
          {
            name: "error-rate-critical",
            when: "error-rate > 10% for 2m",
            action: "Rollback",
            severity: "SEV1",
            plan: "application",
          },
          {
            name: "error-rate-elevated",
            when: "error-rate > 5% for 5m",
            action: "Propose",
            severity: "SEV3",
            plan: "application",
          },
        ]);
      },

      "error rate > 5 % for 5 m: proposes": async () => {
        const service = await watched("elevated", ["error-rate"]);
        const { row, requestRef = "" } = await service.decided("Propose");
        expect(row).toBe("error-rate-elevated");
        expect((await service.shop.reaches(requestRef, "AwaitingApproval")).spec).toMatchObject({
          approval: "Required",
          severity: "SEV3",
        });
        expect(imageOf(await service.shop.live())).toBe("web:v2");
      },

      "P95 > 5 s for 5 m: prepares the plan, and nothing waits or runs": async () => {
        const service = await watched("latency", ["p95-latency"]);
        expect((await service.decided("Prepare")).row).toBe("p95-latency-high");
        const { status } = await service.policy();
        expect(status?.prepared).toMatchObject({
          row: "p95-latency-high",
          plan: "application",
          message: expect.stringContaining("would go back to revision 1"),
        });
        expect(status?.prepared?.digest).toMatch(/^[0-9a-f]+$/);
        await until(
          "the event",
          () => service.notes("PlanReady"),
          (notes) => notes.length === 1,
        );
        expect(await service.requests()).toEqual([]);
      },

      "one endpoint > 10 % for 5 m: proposes, naming the endpoint": async () => {
        const service = await watched("endpoint", ["endpoint-errors"]);
        const decision = await service.decided("Propose");
        expect(decision.row).toBe("endpoint-broken");
        expect(decision.reason).toContain("endpoint-errors of route=/models 50% > 10%");
      },

      "one endpoint, and a plan `partial`: rolls back by that plan": async () => {
        const plans = [
          { name: "application", steps: [{ name: "app", workload: {} }] },
          {
            name: "partial",
            steps: [{ name: "again", restart: { kind: "Deployment", name: "web" } }],
          },
        ];
        const service = await watched("partial", ["endpoint-errors"], { plans });
        expect((await service.decided("Rollback")).row).toBe("endpoint-broken");
        const [request] = await service.requested();
        expect(request?.spec.plan).toBe("partial");
        await until(
          "it is restarted",
          () => service.shop.live(),
          ({ spec }) => RESTARTED in (spec.template.metadata?.annotations ?? {}),
          60_000,
        );
        expect(imageOf(await service.shop.live())).toBe("web:v2");
      },

      "data corruption: rolls back at once": async () => {
        const service = await watched("corrupted", ["data-corruption"]);
        expect((await rolledBack(service)).row).toBe("data-corruption");
      },

      "data corruption, and a plan `restore`: rolls back, and proposes to restore": async () => {
        const plans = [
          { name: "application", steps: [{ name: "app", workload: {} }] },
          { name: "restore", steps: [{ name: "again", restart: { kind: "Deployment", name: "web" } }] },
        ];
        const service = await watched("restore", ["data-corruption"], { plans });
        await until(
          "it is back",
          () => service.shop.live(),
          (live) => imageOf(live) === "web:v1",
          60_000,
        );
        const requests = await service.requested(2);
        const waiting = requests.find(({ spec }) => spec.plan === "restore");
        expect(waiting?.spec).toMatchObject({ approval: "Required", severity: "SEV1" });
        expect(requests.filter(({ spec }) => spec.approval === "Auto")).toHaveLength(1);
        await service.shop.reaches(waiting?.metadata.name ?? "", "AwaitingApproval");
        const rows = (await service.policy()).status?.matrix?.map(({ name, plan }) => [name, plan]);
        expect(rows).toEqual([
          ["data-corruption", "application"],
          ["data-corruption-restore", "restore"],
        ]);
      },

      "more than 2 containers out of memory: waits for a hotfix, 15 m": async () => {
        const service = await watched("leak", ["oom-kills"]);
        const kubelet = kubeletOf(lab.world.client, "leak");
        const [first, second] = await kubelet.pods("web:v2");
        if (first === undefined || second === undefined) throw new Error("two pods are needed");
        await service.shows("Breached", "False", "NoBreach");
        for (const pod of [first, second, first]) await kubelet.dies(pod);
        const decision = await service.decided("Held");
        expect(decision.row).toBe("memory-leak");
        expect(decision.reason).toContain("held, HotfixAwaited: waits for a hotfix until");
        expect(await service.requests()).toEqual([]);
      },

      "a critical vulnerability that the release brought: rolls back at once": async () => {
        const service = await watched("vulnerable", ["vulnerabilities"]);
        const sets = await service.shop.replicaSets();
        for (const set of sets) {
          const found = imageOf(set) === "web:v2" ? { "CVE-2024-0009": "CRITICAL" } : {};
          await reportOn(lab.world, set, { "CVE-2024-0001": "CRITICAL", ...found });
        }
        const decision = await service.decided("Rollback");
        expect(decision.row).toBe("vulnerability-introduced");
      },
    },
    180_000,
  );

  it("leaves only statuses that waiters can read", async () => {
    expect(await lab.complaints()).toEqual([]);
  });
});
