import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { REQUEST_ANNOTATIONS as ANNOTATIONS } from "../../src/crds/annotations.ts";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { eventType, leaseType, replicaSetType } from "../../src/kube/well-known.ts";
import { inParallel } from "../support/in-parallel.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf, revisionNumber, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 90_000;
const { signal } = new AbortController();
const ASKED = { approval: "Required" };

describe("a request that needs an approval", () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await world?.stop();
  }, START_MS);

  /** web:v1, web:v2 and, live, web:v3. */
  async function threeReleases(namespace: string): Promise<Shop> {
    const shop = await openShop(world, namespace);
    await shop.open();
    await shop.release("web:v2");
    await shop.release("web:v3");
    return shop;
  }

  /** A request that waits, with the digest of the plan that it shows. */
  async function waiting(shop: Shop, name: string, spec: PartialSpec = {}, to?: PartialSpec) {
    await shop.ask(name, to, { ...ASKED, ...spec });
    const request = await shop.reaches(name, "AwaitingApproval");
    return { request, digest: digestOf(request) };
  }

  function digestOf({ status }: RollbackRequest): string {
    return status?.plan?.digest ?? "";
  }

  function approve(shop: Shop, name: string, digest: string, by = "alice"): Promise<void> {
    return shop.annotate(name, { [ANNOTATIONS.approve]: digest, [ANNOTATIONS.approvedBy]: by });
  }

  function conditionOf({ status }: RollbackRequest, name: string) {
    return status?.conditions?.find(({ type }) => type === name);
  }

  async function lockHolders(namespace: string): Promise<readonly string[]> {
    const { items } = await world.client.list(leaseType, { namespace: "rollback-system", signal });
    return items
      .map(({ spec }) => spec?.holderIdentity?.split("/") ?? [])
      .filter(([of]) => of === namespace)
      .map(([, name = ""]) => name);
  }

  async function notes({ namespace }: Shop, reason: string): Promise<readonly string[]> {
    const { items } = await world.client.list(eventType, { namespace, signal });
    return items.filter((event) => event.reason === reason).map(({ note = "" }) => note);
  }

  /** Nothing was changed: the version that was live is live. */
  async function untouched(shop: Shop): Promise<void> {
    expect(await shop.acts()).toEqual([]);
    expect(imageOf(await shop.live())).toBe("web:v3");
  }

  inParallel(
    {
      "shows its plan and what to do, waits without lock and finalizer, and runs once it is approved":
        async () => {
          const shop = await threeReleases("approve");
          const { request, digest } = await waiting(shop, "undo");
          expect(readyOf(request)).toEqual({
            reason: "AwaitingApproval",
            message: expect.stringMatching(
              /^waits for approval until \S+ \S+ UTC: Deployment\/web revision 3 \(web:v3\) -> revision 2 \(web:v2\); "kubectl-rollback approve undo -n approve" \(or deny\), or "kubectl annotate rbr undo -n approve --overwrite \S+\/approve=[0-9a-f]{16} \S+\/approved-by=YOU"$/,
            ),
          });
          expect(conditionOf(request, "Approved")).toMatchObject({
            status: "Unknown",
            reason: "AwaitingApproval",
            message: `plan ${digest} waits for approval`,
          });
          expect(request.metadata.finalizers).toBeUndefined();
          expect(await lockHolders("approve")).toEqual([]);
          await untouched(shop);
          await until(
            "it is proposed",
            () => notes(shop, "RollbackProposed"),
            (all) => all.length === 1,
          );

          await approve(shop, "undo", digest);

          const ended = await shop.ended("undo");
          expect(ended.status?.phase).toBe("Succeeded");
          expect(conditionOf(ended, "Approved")).toMatchObject({
            status: "True",
            reason: "Approved",
            message: `approved by alice: plan ${digest}`,
          });
          const { planned = "", approved = "", applied = "" } = ended.status?.timeline ?? {};
          expect([planned, approved, applied].toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
            planned,
            approved,
            applied,
          ]);
          expect(planned).toBe(request.status?.timeline?.planned);
          expect(imageOf(await shop.live())).toBe("web:v2");
        },

      "is not approved by another digest, and says which one is meant": async () => {
        const shop = await threeReleases("wrong");
        const { digest } = await waiting(shop, "undo");
        await approve(shop, "undo", "0123456789abcdef", "bob");
        const told = await until(
          "it says so",
          () => shop.request("undo"),
          (request) => conditionOf(request, "Approved")?.status === "False",
        );
        expect(conditionOf(told, "Approved")).toMatchObject({
          reason: "PlanChanged",
          message: `plan 0123456789abcdef, which bob approved, is not the plan any more: the plan is ${digest} now`,
        });
        expect(readyOf(told).message).toContain(`--overwrite rollback.llm-research-lab.io/approve=${digest}`);
        await untouched(shop);

        await approve(shop, "undo", digest);

        expect((await shop.ended("undo")).status?.phase).toBe("Succeeded");
      },

      "is not approved for a plan that has changed meanwhile": async () => {
        const shop = await threeReleases("changed");
        const { digest } = await waiting(shop, "undo");
        const before = (await shop.replicaSets()).find((each) => revisionNumber(each) === 2);
        await world.client.delete(
          replicaSetType,
          { namespace: "changed", name: before?.metadata.name ?? "" },
          { signal },
        );
        await approve(shop, "undo", digest);
        const told = await until(
          "the approval is void",
          () => shop.request("undo"),
          (request) => conditionOf(request, "Approved")?.reason === "PlanChanged",
        );
        expect(digestOf(told)).not.toBe(digest);
        expect(told.status?.plan?.steps[0]?.to?.revision).toBe(1);
        expect(await lockHolders("changed")).toEqual([]);
        await until(
          "it is told",
          () => notes(shop, "PlanReady"),
          (all) => all.length === 1,
        );
        await untouched(shop);

        await approve(shop, "undo", digestOf(told));

        expect((await shop.ended("undo")).status?.phase).toBe("Succeeded");
        expect(imageOf(await shop.live())).toBe("web:v1");
      },

      "ends Superseded when another version goes live while it waits": async () => {
        const shop = await threeReleases("released");
        await waiting(shop, "undo");
        await shop.release("web:v4");
        const ended = await shop.ended("undo");
        expect(ended.status?.phase).toBe("Superseded");
        expect(conditionOf(ended, "Approved")).toMatchObject({ status: "False", reason: "Superseded" });
        expect(await shop.acts()).toEqual([]);
      },

      "ends Denied, with who and why": async () => {
        const shop = await threeReleases("deny");
        const { digest } = await waiting(shop, "undo");
        await shop.annotate("undo", {
          [ANNOTATIONS.approve]: digest,
          [ANNOTATIONS.deny]: "the fix is on its way",
          [ANNOTATIONS.deniedBy]: "carol",
        });
        const ended = await shop.ended("undo");
        expect(ended.status?.phase).toBe("Denied");
        expect(readyOf(ended)).toEqual({
          reason: "Denied",
          message: "denied by carol: the fix is on its way; nothing was changed",
        });
        expect(conditionOf(ended, "Approved")).toMatchObject({ status: "False", reason: "Denied" });
        await until(
          "it is told",
          () => notes(shop, "Denied"),
          (all) => all.length === 1,
        );
        await untouched(shop);
      },

      "expires, and is not revived by a late approval": async () => {
        const shop = await threeReleases("expire");
        const { digest } = await waiting(shop, "undo", { expiresAfter: "2s" });
        const ended = await shop.ended("undo");
        expect(ended.status?.phase).toBe("Expired");
        expect(readyOf(ended).message).toContain("nobody approved it within 2s; nothing was changed");
        await approve(shop, "undo", digest);
        await untouched(shop);
      },

      "with runAfter runs by itself unless it is denied": async () => {
        const shop = await threeReleases("runs");
        const { request } = await waiting(shop, "no", { runAfter: "20m" });
        expect(readyOf(request).message).toMatch(/^runs at \S+ \S+ UTC unless it is denied: Deployment/);
        await shop.annotate("no", { [ANNOTATIONS.deny]: "" });
        const denied = await shop.ended("no");
        expect(readyOf(denied).message).toBe("denied by somebody who gave no name; nothing was changed");
        await untouched(shop);

        const { digest } = await waiting(shop, "yes", { runAfter: "2s" });

        const ended = await shop.ended("yes");
        expect(ended.status?.phase).toBe("Succeeded");
        expect(conditionOf(ended, "Approved")).toMatchObject({
          status: "True",
          reason: "NotDenied",
          message: `nobody denied plan ${digest} within 2s`,
        });
      },

      "can be aborted, and a dry run of it does not wait": async () => {
        const shop = await threeReleases("abort");
        await waiting(shop, "undo");
        await shop.annotate("undo", { [ANNOTATIONS.abort]: "true" });
        expect((await shop.ended("undo")).status?.phase).toBe("Aborted");
        await shop.ask("look", undefined, { ...ASKED, dryRun: true });
        expect(readyOf(await shop.ended("look")).reason).toBe("DryRun");
        await untouched(shop);
      },

      "stands in nobody's way, and of two that are approved at once one is done": async () => {
        const shop = await threeReleases("two");
        const [one, two] = [await waiting(shop, "one"), await waiting(shop, "two")];
        await Promise.all([approve(shop, "one", one.digest), approve(shop, "two", two.digest, "bob")]);
        const ended = await Promise.all([shop.ended("one"), shop.ended("two")]);
        const phases = new Set(ended.map(({ status }) => status?.phase));
        expect(phases).toEqual(new Set(["Succeeded", "Superseded"]));
        expect(await shop.acts()).toHaveLength(1);
        expect(imageOf(await shop.live())).toBe("web:v2");

        await shop.release("web:v4");
        await waiting(shop, "patient");
        await shop.ask("urgent", { revision: revisionNumber(await shop.live()) - 1 });
        expect((await shop.ended("urgent")).status?.phase).toBe("Succeeded");
        expect((await shop.ended("patient")).status?.phase).toBe("Superseded");
      },

      "writes nothing while nothing changes, however often its workload's status does": async () => {
        const shop = await threeReleases("quiet");
        const { request } = await waiting(shop, "undo");
        await shop.edit([{ op: "replace", path: "/spec/replicas", value: 4 }]);
        await until(
          "four pods are ready",
          () => shop.live(),
          ({ status }) => status?.availableReplicas === 4,
        );
        await shop.edit([{ op: "add", path: "/metadata/annotations/note", value: "again" }]);
        // Its own act shows that the operator has seen all of that.
        await shop.ask("other", { strategy: "Previous" }, { dryRun: true });
        await shop.ended("other");
        expect((await shop.request("undo")).metadata.resourceVersion).toBe(request.metadata.resourceVersion);
      },
    },
    120_000,
  );

  it("breaks no rule of kstatus in any stored status", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});
