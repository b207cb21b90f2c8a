import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { OWNER_ANNOTATIONS, REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { readLedger } from "../../src/controllers/ledger/ledger.ts";
import { APPLICATIONS } from "../../src/gitops/kinds.ts";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { readAudit } from "../cluster/audit.ts";
import { userOf } from "../support/cli.ts";
import {
  answerRefreshes,
  installGitOps,
  untilApplication,
  watchWithHolds,
  type GitOpsWorld,
} from "../support/gitops.ts";
import { inParallel } from "../support/in-parallel.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf, type PartialSpec, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 120_000;
const TEST_MS = 120_000;
const { signal } = new AbortController();
const HOLD_ACCOUNT = "system:serviceaccount:rollback-system:rollback-hold";
const REFRESH = "argocd.argoproj.io/refresh";

describe("holding Argo CD and Flux", () => {
  let world: World;
  let gitOps: GitOpsWorld;
  const argoCd = new AbortController();
  let answering: Promise<void> | undefined;

  beforeAll(async () => {
    world = await startWorld();
    gitOps = await installGitOps(world);
    answering = answerRefreshes(world.client, argoCd.signal);
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    argoCd.abort();
    await answering;
    await world?.stop();
  }, START_MS);

  /** web:v1 and, live, web:v2, as an Application of this name made them, and a policy that watches web. */
  async function open(namespace: string, gitOpsMode: "Hold" | "Refuse" = "Hold"): Promise<Shop> {
    const shop = await openShop(world, namespace);
    const id = `${namespace}:apps/Deployment:${namespace}/web`;
    await shop.open("web", { metadata: { annotations: { "argocd.argoproj.io/tracking-id": id } } });
    await shop.release("web:v2");
    await watchWithHolds(world, namespace, gitOpsMode);
    return shop;
  }

  const ask = (shop: Shop, name = "undo", spec: PartialSpec = {}) =>
    shop.ask(name, { strategy: "Previous" }, { verification: { checks: [] }, ...spec });

  const persisted = ({ status }: RollbackRequest) =>
    status?.conditions?.find(({ type }) => type === "Persisted");

  const untilPersisted = (shop: Shop, reason: string, name = "undo") =>
    until(
      `${shop.namespace}/${name} is ${reason}`,
      () => shop.request(name),
      (request) => persisted(request)?.reason === reason,
    );

  const succeeded = (shop: Shop, name = "undo") => shop.reaches(name, "Succeeded");

  const openHolds = async ({ namespace }: Shop) =>
    (await readLedger(world.client, { group: "apps", kind: "Deployment", namespace, name: "web" }, signal))
      ?.spec.holds;

  const automated = async (name: string) => (await gitOps.liveApplication(name)).spec.syncPolicy?.automated;

  async function refusal(shop: Shop): Promise<string> {
    await ask(shop);
    const ended = await shop.ended("undo");
    expect(ended.status?.phase).toBe("Failed");
    expect(imageOf(await shop.live())).toBe("web:v2");
    const live = await world.client.tryGet(
      APPLICATIONS,
      { namespace: "argocd", name: shop.namespace },
      { signal },
    );
    expect(live?.spec.syncPolicy?.automated?.enabled).not.toBe(false);
    return readyOf(ended).message;
  }

  inParallel(
    {
      "stops the Application, rolls back, and starts it again when Git agrees": async () => {
        const shop = await open("agrees");
        await gitOps.application("agrees", "agrees");
        const before = await gitOps.liveApplication("agrees");

        await ask(shop);
        const done = await succeeded(shop);

        expect(imageOf(await shop.live())).toBe("web:v1");
        expect(done.status?.plan?.holds).toMatchObject([
          {
            kind: "Application",
            namespace: "argocd",
            name: "agrees",
            found: "Absent",
            objects: ["Deployment/web"],
          },
        ]);
        const held = await gitOps.liveApplication("agrees");
        expect(held.spec.syncPolicy?.automated).toEqual({ selfHeal: true, prune: true, enabled: false });
        expect(JSON.parse(held.metadata.annotations?.[OWNER_ANNOTATIONS.held] ?? "")).toEqual({
          found: "Absent",
          by: ["agrees/undo"],
        });
        expect(await openHolds(shop)).toMatchObject([{ name: "agrees", found: "Absent", request: "undo" }]);

        await gitOps.compared("agrees", "agrees", "OutOfSync", Date.now() + 10_000);
        const differing = await untilPersisted(shop, "GitDiffers");
        expect(persisted(differing)).toMatchObject({ status: "False" });
        expect(persisted(differing)?.message).toContain("kubectl-rollback release undo");

        await gitOps.compared("agrees", "agrees", "Synced", Date.now() + 10_000);
        const agreed = await untilPersisted(shop, "GitAgrees");
        expect(persisted(agreed)?.status).toBe("True");
        const after = await gitOps.liveApplication("agrees");
        expect(after.spec).toEqual(before.spec);
        expect(after.metadata.annotations).toEqual(before.metadata.annotations);
        expect(await openHolds(shop)).toBeUndefined();
        expect((await shop.ended("undo")).metadata.finalizers ?? []).toEqual([]);
      },

      "is stopped before the change, by the hold account alone": async () => {
        const shop = await open("order");
        await gitOps.application("order", "order");
        await ask(shop);
        await succeeded(shop);

        const audit = await readAudit(world.controlPlane.auditLogPath);
        const stops = audit.writes({ resource: "applications", name: "order", actor: HOLD_ACCOUNT });
        const [change] = await shop.acts();
        expect(stops).toHaveLength(1);
        expect(Date.parse(stops[0]?.stageTimestamp ?? "")).toBeLessThan(
          Date.parse(change?.requestReceivedTimestamp ?? ""),
        );
        expect(audit.writes({ resource: "applications", actor: shop.executor, acceptedOnly: false })).toEqual(
          [],
        );
      },

      "waits for a sync that is under way": async () => {
        const shop = await open("syncing");
        await gitOps.application("syncing", "syncing");
        await gitOps.patch("syncing", { operation: { sync: {} } });

        await ask(shop);
        const waiting = await until(
          "it waits for the sync",
          () => shop.request("undo"),
          (request) => readyOf(request).reason === "Holding",
        );

        expect(readyOf(waiting).message).toContain("a sync that began before is still under way");
        expect(imageOf(await shop.live())).toBe("web:v2");
        await gitOps.patch("syncing", { operation: null });
        await succeeded(shop);
        expect(imageOf(await shop.live())).toBe("web:v1");
      },

      "lets Git win when a person says so": async () => {
        const shop = await open("released");
        await gitOps.application("released", "released", {
          spec: { syncPolicy: { automated: { enabled: true, selfHeal: true } } },
        });
        await ask(shop);
        await succeeded(shop);
        expect(await automated("released")).toEqual({ enabled: false, selfHeal: true });

        const cli = await userOf(world, "alice", ["released"]);
        const told = await cli("release", "undo");

        expect(told.stdout).toContain("Application argocd/released is reconciled again");
        expect(await automated("released")).toEqual({ enabled: true, selfHeal: true });
        expect(persisted(await shop.request("undo"))).toMatchObject({
          status: "Unknown",
          reason: "Released",
        });
        const again = await cli("release", "undo");
        expect(again.stderr).toContain("holds nothing");
        expect(again.code).toBe(1);
      },

      "is refused without consent, with the command that gives it": async () => {
        const shop = await open("silent");
        await gitOps.application("silent", "silent", { consent: null });

        expect(await refusal(shop)).toContain(
          "kubectl annotate application -n argocd silent rollback.llm-research-lab.io/consent=silent/web",
        );
      },

      "is refused where the policy says so, which is the default": async () => {
        const shop = await open("refusing", "Refuse");
        await gitOps.application("refusing", "refusing");

        expect(await refusal(shop)).toContain('set "gitOps: Hold"');
      },

      "is refused where the Application does not list the target": async () => {
        const shop = await open("unlisted");
        await gitOps.application("unlisted", "unlisted", { lists: false });

        expect(await refusal(shop)).toContain("which does not list it");
      },

      "is refused where the Application is in another cluster": async () => {
        expect(await refusal(await open("elsewhere"))).toContain("is not in this cluster");
      },

      "is refused where an ApplicationSet would start it again": async () => {
        const shop = await open("generated");
        await world.kubectl(
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
        await gitOps.application("generated", "generated", {
          ownerReferences: [
            { apiVersion: "argoproj.io/v1alpha1", kind: "ApplicationSet", name: "all", uid: "u" },
          ],
        });

        expect(await refusal(shop)).toMatch(
          /ApplicationSet argocd\/all would start it again: .*ignoreApplicationDifferences/,
        );
      },

      "two requests hold one Application, and the last one puts back what was found": async () => {
        const shop = await open("shared");
        await shop.open("api", {
          metadata: {
            annotations: { "argocd.argoproj.io/tracking-id": "shared:apps/Deployment:shared/api" },
          },
        });
        await shop.release("api:v2", "api");
        await gitOps.application("shared", "shared");
        await gitOps.patch("shared", {
          status: {
            resources: ["web", "api"].map((name) => ({
              group: "apps",
              version: "v1",
              kind: "Deployment",
              namespace: "shared",
              name,
              status: "Synced",
            })),
          },
        });
        const steps = (name: string) => [
          { name: "app", workload: { kind: "Deployment", name, to: { strategy: "Previous" } } },
        ];
        await Promise.all([
          ask(shop, "one", { policyRef: { name: "web" }, steps: steps("web") }),
          ask(shop, "two", { policyRef: { name: "web" }, steps: steps("api") }),
        ]);
        await Promise.all([succeeded(shop, "one"), succeeded(shop, "two")]);
        const { metadata } = await gitOps.liveApplication("shared");
        const by = (JSON.parse(metadata.annotations?.[OWNER_ANNOTATIONS.held] ?? "") as { by: string[] }).by;
        expect(by.toSorted()).toEqual(["shared/one", "shared/two"]);

        await shop.annotate("one", { [REQUEST_ANNOTATIONS.release]: "true" });
        await untilPersisted(shop, "Released", "one");
        expect(await automated("shared")).toMatchObject({ enabled: false });
        await shop.annotate("two", { [REQUEST_ANNOTATIONS.release]: "true" });
        await untilPersisted(shop, "Released", "two");

        expect(await automated("shared")).toEqual({ selfHeal: true, prune: true });
      },

      "ends by itself when the request changed nothing": async () => {
        const shop = await open("aborted");
        await gitOps.application("aborted", "aborted");
        await gitOps.patch("aborted", { operation: { sync: {} } });
        await ask(shop);
        await untilApplication(
          gitOps,
          "aborted",
          "is stopped",
          ({ spec }) => spec.syncPolicy?.automated?.enabled === false,
        );

        await shop.annotate("undo", { [REQUEST_ANNOTATIONS.abort]: "true" });
        const ended = await shop.ended("undo");

        expect(ended.status?.phase).toBe("Aborted");
        expect(persisted(ended)?.reason).toBe("NothingChanged");
        expect(await automated("aborted")).toEqual({ selfHeal: true, prune: true });
        expect(imageOf(await shop.live())).toBe("web:v2");
      },

      "is lost, and says so, when somebody starts the Application again": async () => {
        const shop = await open("taken");
        await gitOps.application("taken", "taken");
        await ask(shop);
        await succeeded(shop);

        await gitOps.patch("taken", { spec: { syncPolicy: { automated: { enabled: true } } } });
        const lost = await untilPersisted(shop, "HoldLost");

        expect(persisted(lost)?.status).toBe("False");
        expect(await automated("taken")).toMatchObject({ enabled: true });
        const { metadata } = await gitOps.liveApplication("taken");
        expect(metadata.annotations?.[OWNER_ANNOTATIONS.held]).toBeUndefined();
        await shop.ended("undo");
      },

      "is put back although the record on the Application was stripped": async () => {
        const shop = await open("stripped");
        await gitOps.application("stripped", "stripped", {
          spec: { syncPolicy: { automated: { enabled: true } } },
        });
        await ask(shop);
        await succeeded(shop);

        await gitOps.patch("stripped", { metadata: { annotations: { [OWNER_ANNOTATIONS.held]: null } } });
        await gitOps.compared("stripped", "stripped", "OutOfSync", Date.now() + 10_000);
        await untilPersisted(shop, "GitDiffers");
        await shop.annotate("undo", { [REQUEST_ANNOTATIONS.release]: "true" });

        const ended = await shop.ended("undo");
        expect(persisted(ended)?.reason).toBe("Released");
        expect(await automated("stripped")).toEqual({ enabled: true });
      },

      "is over when the Application was deleted": async () => {
        const shop = await open("orphan");
        await gitOps.application("orphan", "orphan");
        await ask(shop);
        await succeeded(shop);

        await world.client.delete(APPLICATIONS, { namespace: "argocd", name: "orphan" }, { signal });
        const ended = await shop.ended("undo");

        expect(persisted(ended)?.message).toContain("Application argocd/orphan is gone");
        expect(await openHolds(shop)).toBeUndefined();
      },

      "a deletion of the request waits for the end of its hold; the namespace's does not": async () => {
        const shop = await open("deleted");
        await gitOps.application("deleted", "deleted");
        await ask(shop);
        await succeeded(shop);

        await shop.remove("undo");
        await gitOps.compared("deleted", "deleted", "OutOfSync", Date.now() + 10_000);
        await untilPersisted(shop, "GitDiffers");
        expect(await automated("deleted")).toMatchObject({ enabled: false });

        await world.kubectl(["delete", "namespace", "deleted", "--wait=false"]);
        await untilApplication(
          gitOps,
          "deleted",
          "is started again",
          ({ spec }) => spec.syncPolicy?.automated?.enabled === undefined,
        );
      },

      "suspends a Kustomization of Flux, until a person lets Git win": async () => {
        const shop = await openShop(world, "flux");
        const labels = {
          "kustomize.toolkit.fluxcd.io/name": "flux",
          "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        };
        await shop.open("web", { metadata: { labels } });
        await shop.release("web:v2");
        await watchWithHolds(world, "flux");
        await gitOps.kustomization("flux", "flux");

        await ask(shop);
        await succeeded(shop);
        expect((await gitOps.liveKustomization("flux")).spec.suspend).toBe(true);
        expect(imageOf(await shop.live())).toBe("web:v1");

        await shop.annotate("undo", { [REQUEST_ANNOTATIONS.release]: "true" });
        await shop.ended("undo");
        expect((await gitOps.liveKustomization("flux")).spec.suspend).toBeUndefined();
      },
    },
    TEST_MS,
  );

  it("is asked for only when there is something to hold, and leaves no mark", async () => {
    const { items } = await world.client.list(APPLICATIONS, { namespace: "argocd", signal });
    expect(items.filter(({ metadata }) => metadata.annotations?.[REFRESH] !== undefined)).toEqual([]);
  });

  it("leaves only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(world.controlPlane.auditLogPath))).toEqual([]);
  });
});
