import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { createActions } from "../../src/actions/registry.ts";
import { pass } from "../../src/checks/check.ts";
import { SoakRuns } from "../../src/checks/soak-runs.ts";
import { automaticRequestSpec } from "../../src/controllers/ledger/automatic.ts";
import { changeLedger, readLedger } from "../../src/controllers/ledger/ledger.ts";
import { gitOpsPorts } from "../../src/controllers/gitops.ts";
import { isWaitingForApproval } from "../../src/controllers/request/phase.ts";
import { REQUEST_ANNOTATIONS as ANNOTATIONS } from "../../src/crds/annotations.ts";
import { planOf } from "../../src/controllers/request/plan-of-policy.ts";
import type { LedgerAutomatic } from "../../src/crds/rollback-ledger.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS } from "../../src/kube/rollback-kinds.ts";
import { inParallel } from "../support/in-parallel.ts";
import { HOLDING } from "../support/mortal-operator.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf, revisionNumber, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const { signal } = new AbortController();
const VERIFICATION = { settle: "0s", soak: "2s", interval: "1s", checks: [{ name: "pods", pods: {} }] };
const WEB = { name: "web", workload: {} };
const STOP_HELPER = { name: "helper", scale: { kind: "Deployment", name: "helper", replicas: 0 } };
const PLANS = [
  { name: "whole", steps: [STOP_HELPER, WEB] },
  { name: "partial", steps: [STOP_HELPER] },
];

describe("the plans of a policy", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** web:v1 and, live, web:v2, beside a helper, and a policy that watches web. */
  async function watched(namespace: string, plans: PartialSpec = { plans: PLANS }): Promise<Shop> {
    const shop = await openShop(world, namespace, { actions: ["workload", "scale"] });
    await Promise.all([shop.open(), shop.open("helper")]);
    await shop.release("web:v2");
    const spec = {
      target: { kind: "Deployment", name: "web" },
      serviceAccountName: "rollback-executor",
      signals: [{ name: "errors", prometheus: { query: "vector(0)" } }],
      matrix: [{ name: "row", when: { signal: "errors", above: "1" }, action: "Notify" }],
      verification: VERIFICATION,
      ...plans,
    };
    const manifest = { apiVersion: "rollback.llm-research-lab.io/v1alpha1", kind: "RollbackPolicy" };
    const policy = { ...manifest, metadata: { name: "web", namespace }, spec };
    await world.kubectl(["apply", "-f", "-"], JSON.stringify(policy));
    return shop;
  }

  function ask(shop: Shop, name: string, spec: PartialSpec = {}) {
    const full = { policyRef: { name: "web" }, steps: undefined, verification: undefined, ...spec };
    return shop.ask(name, undefined, full);
  }

  async function replicasOfHelper(shop: Shop): Promise<number | undefined> {
    return (await shop.live("helper")).spec.replicas;
  }

  const target = ({ namespace }: Shop) => ({ group: "apps", kind: "Deployment", namespace, name: "web" });

  /** What the policy's controller records before it makes a request, and the request. */
  async function decided(shop: Shop, entry: Partial<LedgerAutomatic> & { readonly request: string }) {
    const { namespace } = shop;
    const sets = (await shop.replicaSets()).toSorted((a, b) => revisionNumber(a) - revisionNumber(b));
    const identities = sets.map((set) => ({
      replicaSetUid: set.metadata.uid,
      podTemplateHash: set.metadata.labels?.["pod-template-hash"] ?? "",
      revision: revisionNumber(set),
    }));
    const [good, live] = [identities.at(-2)!, identities.at(-1)!];
    const at = new Date().toISOString();
    const trigger = { policy: "web", row: "row", sentence: `decided at ${at}` };
    const automatic: LedgerAutomatic = { ...live, attempt: 1, at, trigger, ...entry };
    await changeLedger(
      world.client,
      target(shop),
      (before) => ({
        ...before,
        knownGood: [{ ...good, since: at, evidence: "test" }],
        automatic: [...before.automatic, automatic],
      }),
      signal,
    );
    const spec = automaticRequestSpec(automatic, "SEV3");
    const metadata = { namespace, name: entry.request };
    return world.client.create(ROLLBACK_REQUESTS, { metadata, spec }, { signal });
  }

  inParallel(
    {
      "are run by name, or the first one by default, as they were at acceptance": async () => {
        const shop = await watched("named");
        await ask(shop, "partial", { plan: "partial", approval: "Required" });
        const waiting = await shop.reaches("partial", "AwaitingApproval");
        await world.client.patch(
          ROLLBACK_POLICIES,
          { namespace: "named", name: "web" },
          mergePatch({ spec: { plans: [{ name: "whole", steps: [{ ...WEB, name: "only" }] }] } }),
          { signal },
        );
        await shop.annotate("partial", { [ANNOTATIONS.approve]: waiting.status?.plan?.digest ?? "" });
        expect((await shop.ended("partial")).status).toMatchObject({
          phase: "Succeeded",
          steps: [{ name: "helper", state: "Succeeded" }],
        });
        expect(await replicasOfHelper(shop)).toBe(0);
        expect(imageOf(await shop.live())).toBe("web:v2");

        await ask(shop, "first");

        expect((await shop.ended("first")).status).toMatchObject({
          phase: "Succeeded",
          steps: [{ name: "only" }],
        });
        expect(imageOf(await shop.live())).toBe("web:v1");
      },

      "that are not there are refused, saying which there are": async () => {
        const shop = await watched("missing");
        await ask(shop, "undo", { plan: "restore" });
        expect(readyOf(await shop.ended("undo"))).toEqual({
          reason: "PlanNotFound",
          message: expect.stringContaining("RollbackPolicy web has no plan restore, only whole, partial"),
        });
        const other = await watched("default-plan", {});
        await ask(other, "undo", { plan: "application" });
        expect((await other.ended("undo")).status?.phase).toBe("Succeeded");
      },

      "are planned without a request": async () => {
        const shop = await watched("prepared");
        const { client } = world;
        const clock = systemClock();
        const soaks = new SoakRuns({
          requiredRights: () => [],
          windowMs: () => 0,
          sample: async () => pass(""),
        });
        const actions = createActions({ stuckAfterMs: () => 60_000, soaks });
        const plan = async (name: string) => {
          const policy = await client.get(
            ROLLBACK_POLICIES,
            { namespace: "prepared", name: "web" },
            { signal },
          );
          const ledger = await readLedger(client, target(shop), signal);
          return planOf(
            { client, clock, actions, gitOps: gitOpsPorts(client, () => HOLDING) },
            policy,
            name,
            ledger?.spec,
            signal,
          );
        };
        expect(await plan("whole")).toMatchObject({ kind: "Refused", reason: "NoKnownGoodRevision" });
        expect(await plan("none")).toMatchObject({ kind: "Refused", reason: "PlanNotFound" });
        const prepared = await plan("partial");
        expect(prepared).toMatchObject({
          kind: "Planned",
          plan: { steps: [{ object: "Deployment/helper", from: { replicas: 2 }, to: { replicas: 0 } }] },
        });
        expect(await replicasOfHelper(shop)).toBe(2);

        await ask(shop, "undo", { plan: "partial", approval: "Required" });

        const { status } = await shop.reaches("undo", "AwaitingApproval");
        expect(prepared).toMatchObject({ plan: { digest: status?.plan?.digest } });
      },

      "proposed by the operator run when they are approved": async () => {
        const shop = await watched("proposed");
        const made = await decided(shop, {
          request: "proposal",
          action: "Propose",
          plan: "whole",
          expiresAfter: "10m",
        });
        expect(made.spec).toMatchObject({ approval: "Required", expiresAfter: "10m", plan: "whole" });
        const waiting = await shop.reaches("proposal", "AwaitingApproval");
        expect(isWaitingForApproval(waiting)).toBe(true);
        expect(waiting.status).toMatchObject({ resolved: { automatic: true }, trigger: { row: "row" } });
        await shop.annotate("proposal", { [ANNOTATIONS.approve]: waiting.status?.plan?.digest ?? "" });
        const ended = await shop.ended("proposal");
        expect(ended.status?.phase).toBe("Succeeded");
        const ledger = await readLedger(world.client, target(shop), signal);
        expect(ledger?.spec).toMatchObject({
          automatic: [{ request: "proposal", uid: ended.metadata.uid }],
          executed: [{ name: "proposal", outcome: "Succeeded" }],
        });
      },

      "proposed about another object than the policy's target are known all the same": async () => {
        const shop = await watched("beside");
        await decided(shop, { request: "proposal", action: "Propose", plan: "partial", runAfter: "1s" });
        // Its policy sees no breach, since it sees nothing: silence is no consent to that.
        const silent = await until(
          "its time has come",
          () => shop.request("proposal"),
          (request) =>
            readyOf(request).message.startsWith("does not run by itself, since the breach does not go on"),
        );
        await shop.annotate("proposal", { [ANNOTATIONS.approve]: silent.status?.plan?.digest ?? "" });
        const ended = await shop.ended("proposal");
        expect(ended.status).toMatchObject({ phase: "Succeeded", resolved: { automatic: true } });
        const ledger = await readLedger(world.client, target(shop), signal);
        expect(ledger?.spec).toMatchObject({
          automatic: [{ request: "proposal", uid: ended.metadata.uid }],
          executed: [{ name: "proposal", outcome: "Succeeded" }],
        });
      },

      "proposed by the operator give way to its later decision for the same plan": async () => {
        const shop = await watched("stronger");
        await decided(shop, { request: "proposal", action: "Propose", plan: "whole" });
        await decided(shop, { request: "beside", action: "Propose", plan: "partial" });
        await shop.reaches("proposal", "AwaitingApproval");
        const beside = await shop.reaches("beside", "AwaitingApproval");

        await decided(shop, { request: "act", action: "Rollback", plan: "whole" });

        expect((await shop.ended("act")).status?.phase).toBe("Succeeded");
        const ended = await shop.ended("proposal");
        expect(ended.status?.phase).toBe("Superseded");
        expect(readyOf(ended).message).toBe(
          "RollbackRequest act does without approval what this one asked for, since row row fired; nothing was changed by this request",
        );
        // Its own object is where it should be by now.
        expect(beside.status?.phase).toBe("AwaitingApproval");
      },

      "proposed for a release that is gone are superseded by the next": async () => {
        const shop = await watched("gone");
        await decided(shop, { request: "proposal", action: "Propose", plan: "whole" });
        await shop.reaches("proposal", "AwaitingApproval");
        await shop.release("web:v3");
        const ended = await shop.ended("proposal");
        expect(ended.status?.phase).toBe("Superseded");
        await until(
          "the request is let go",
          () => shop.request("proposal"),
          ({ metadata }) => metadata.finalizers === undefined,
        );
      },
    },
    120_000,
  );

  it("breaks no rule of kstatus in any stored status", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});
