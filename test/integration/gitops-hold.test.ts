import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { OWNER_ANNOTATIONS, REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { APPLICATIONS } from "../../src/gitops/kinds.ts";
import { readAudit } from "../cluster/audit.ts";
import { userOf } from "../support/cli.ts";
import { untilApplication, watchWithHolds } from "../support/gitops.ts";
import { persisted, startHoldLab, type HoldLab } from "../support/hold-lab.ts";
import { inParallel } from "../support/in-parallel.ts";
import { statusComplaints, storedVersions } from "../support/kstatus.ts";
import { imageOf, openShop, readyOf } from "../support/shop.ts";
import { until } from "../support/world.ts";

const START_MS = 120_000;
const TEST_MS = 120_000;
const { signal } = new AbortController();
const HOLD_ACCOUNT = "system:serviceaccount:rollback-system:rollback-hold";
const REFRESH = "argocd.argoproj.io/refresh";

describe("holding Argo CD and Flux", () => {
  let lab: HoldLab;

  beforeAll(async () => {
    lab = await startHoldLab();
  }, START_MS);

  afterAll(async () => {
    await lab?.stop();
  }, START_MS);

  inParallel(
    {
      "stops the Application, rolls back, and starts it again when Git agrees": async () => {
        const shop = await lab.open("agrees");
        await lab.gitOps.application("agrees", "agrees");
        const before = await lab.gitOps.liveApplication("agrees");

        await lab.ask(shop);
        const done = await lab.succeeded(shop);

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
        const held = await lab.gitOps.liveApplication("agrees");
        expect(held.spec.syncPolicy?.automated).toEqual({ selfHeal: true, prune: true, enabled: false });
        expect(JSON.parse(held.metadata.annotations?.[OWNER_ANNOTATIONS.held] ?? "")).toEqual({
          found: "Absent",
          by: ["agrees/undo"],
        });
        expect(await lab.openHolds(shop)).toMatchObject([
          { name: "agrees", found: "Absent", request: "undo" },
        ]);

        await lab.gitOps.compared("agrees", "agrees", "OutOfSync", Date.now() + 10_000);
        const differing = await lab.untilPersisted(shop, "GitDiffers");
        expect(persisted(differing)).toMatchObject({ status: "False" });
        expect(persisted(differing)?.message).toContain("kubectl-rollback release undo");

        await lab.gitOps.compared("agrees", "agrees", "Synced", Date.now() + 10_000);
        const agreed = await lab.untilPersisted(shop, "GitAgrees");
        expect(persisted(agreed)?.status).toBe("True");
        const after = await lab.gitOps.liveApplication("agrees");
        expect(after.spec).toEqual(before.spec);
        expect(after.metadata.annotations).toEqual(before.metadata.annotations);
        expect(await lab.openHolds(shop)).toBeUndefined();
        expect((await shop.ended("undo")).metadata.finalizers ?? []).toEqual([]);
      },

      "is stopped before the change, by the hold account alone": async () => {
        const shop = await lab.open("order");
        await lab.gitOps.application("order", "order");
        await lab.ask(shop);
        await lab.succeeded(shop);

        const audit = await readAudit(lab.world.controlPlane.auditLogPath);
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
        const shop = await lab.open("syncing");
        await lab.gitOps.application("syncing", "syncing");
        await lab.gitOps.patch("syncing", { operation: { sync: {} } });

        await lab.ask(shop);
        const waiting = await until(
          "it waits for the sync",
          () => shop.request("undo"),
          (request) => readyOf(request).reason === "Holding",
        );

        expect(readyOf(waiting).message).toContain("a sync that began before is still under way");
        expect(readyOf(waiting).message).toContain("argocd app terminate-op syncing");
        expect(imageOf(await shop.live())).toBe("web:v2");
        await lab.gitOps.patch("syncing", { operation: null });
        await lab.succeeded(shop);
        expect(imageOf(await shop.live())).toBe("web:v1");
      },

      "says so when what was rolled back was changed since, although Git agrees with that": async () => {
        const shop = await lab.open("synced");
        await lab.gitOps.application("synced", "synced");
        await lab.ask(shop);
        await lab.succeeded(shop);

        // As a sync that a person asks for does, hold or no hold.
        await shop.release("web:v2");
        await lab.gitOps.compared("synced", "synced", "Synced", Date.now() + 10_000);

        const ended = await lab.untilPersisted(shop, "Overtaken");
        expect(persisted(ended)?.status).toBe("False");
        expect(await lab.automated("synced")).toEqual({ selfHeal: true, prune: true });
      },

      "is found where Argo CD tracks by label, and nobody's where its Application does not list the object":
        async () => {
          const manifest = (name: string) => ({
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name, namespace: "labelled", labels: { "app.kubernetes.io/instance": "labelled" } },
          });
          const shop = await openShop(lab.world, "labelled");
          await lab.gitOps.application("labelled", "labelled");
          for (const name of ["web", "helm"]) {
            await shop.open(name);
            const apply = ["apply", "--server-side", "--field-manager=argocd-controller", "-f", "-"];
            await lab.world.kubectl(apply, JSON.stringify(manifest(name)));
            await shop.release(`${name}:v2`, name);
          }
          await watchWithHolds(lab.world, "labelled");

          await lab.ask(shop);
          const done = await lab.succeeded(shop);
          expect(done.status?.holds).toMatchObject([{ name: "labelled", state: "Held" }]);

          const steps = [
            { name: "app", workload: { kind: "Deployment", name: "helm", to: { strategy: "Previous" } } },
          ];
          await lab.ask(shop, "other", { policyRef: { name: "web" }, steps });
          const other = await lab.succeeded(shop, "other");
          expect(other.status?.holds).toBeUndefined();
          expect(other.status?.plan?.steps[0]?.warnings.join()).toContain("taken for nobody's");
        },

      "nothing more is changed once the hold was lost": async () => {
        const shop = await lab.open("between");
        await shop.open("api");
        await shop.release("api:v2", "api");
        await lab.gitOps.application("between", "between");
        const step = (name: string) => ({
          name,
          workload: { kind: "Deployment", name, to: { strategy: "Previous" } },
        });
        const check = {
          name: "soak",
          check: { settle: "0s", soak: "6s", interval: "1s", checks: [{ name: "pods", pods: {} }] },
        };
        await lab.ask(shop, "undo", { policyRef: { name: "web" }, steps: [step("web"), check, step("api")] });
        await until(
          "the first step is done",
          () => shop.request("undo"),
          ({ status }) => status?.steps?.[0]?.state === "Succeeded",
        );

        await lab.gitOps.patch("between", { spec: { syncPolicy: { automated: { enabled: true } } } });
        const ended = await shop.ended("undo");

        expect(ended.status?.phase).toBe("Failed");
        expect(readyOf(ended).message).toContain("somebody else took it away");
        expect(imageOf(await shop.live("api"))).toBe("api:v2");
      },

      "lets Git win when a person says so": async () => {
        const shop = await lab.open("released");
        await lab.gitOps.application("released", "released", {
          spec: { syncPolicy: { automated: { enabled: true, selfHeal: true } } },
        });
        await lab.ask(shop);
        await lab.succeeded(shop);
        expect(await lab.automated("released")).toEqual({ enabled: false, selfHeal: true });

        const cli = await userOf(lab.world, "alice", ["released"]);
        const told = await cli("release", "undo");

        expect(told.stdout).toContain("Application argocd/released is reconciled again");
        expect(await lab.automated("released")).toEqual({ enabled: true, selfHeal: true });
        expect(persisted(await shop.request("undo"))).toMatchObject({
          status: "Unknown",
          reason: "Released",
        });
        const again = await cli("release", "undo");
        expect(again.stderr).toContain("holds nothing");
        expect(again.code).toBe(1);
      },

      "two requests hold one Application, and the last one puts back what was found": async () => {
        const shop = await lab.open("shared");
        await shop.open("api", {
          metadata: {
            annotations: { "argocd.argoproj.io/tracking-id": "shared:apps/Deployment:shared/api" },
          },
        });
        await shop.release("api:v2", "api");
        await lab.gitOps.application("shared", "shared");
        await lab.gitOps.patch("shared", {
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
          lab.ask(shop, "one", { policyRef: { name: "web" }, steps: steps("web") }),
          lab.ask(shop, "two", { policyRef: { name: "web" }, steps: steps("api") }),
        ]);
        await Promise.all([lab.succeeded(shop, "one"), lab.succeeded(shop, "two")]);
        const { metadata } = await lab.gitOps.liveApplication("shared");
        const by = (JSON.parse(metadata.annotations?.[OWNER_ANNOTATIONS.held] ?? "") as { by: string[] }).by;
        expect(by.toSorted()).toEqual(["shared/one", "shared/two"]);

        await shop.annotate("one", { [REQUEST_ANNOTATIONS.release]: "true" });
        await lab.untilPersisted(shop, "Released", "one");
        expect(await lab.automated("shared")).toMatchObject({ enabled: false });
        await shop.annotate("two", { [REQUEST_ANNOTATIONS.release]: "true" });
        await lab.untilPersisted(shop, "Released", "two");

        expect(await lab.automated("shared")).toEqual({ selfHeal: true, prune: true });
      },

      "ends by itself when the request changed nothing": async () => {
        const shop = await lab.open("aborted");
        await lab.gitOps.application("aborted", "aborted");
        await lab.gitOps.patch("aborted", { operation: { sync: {} } });
        await lab.ask(shop);
        await untilApplication(
          lab.gitOps,
          "aborted",
          "is stopped",
          ({ spec }) => spec.syncPolicy?.automated?.enabled === false,
        );

        await shop.annotate("undo", { [REQUEST_ANNOTATIONS.abort]: "true" });
        const ended = await shop.ended("undo");

        expect(ended.status?.phase).toBe("Aborted");
        expect(persisted(ended)?.reason).toBe("NothingChanged");
        expect(await lab.automated("aborted")).toEqual({ selfHeal: true, prune: true });
        expect(imageOf(await shop.live())).toBe("web:v2");
      },

      "is lost, and says so, when somebody starts the Application again": async () => {
        const shop = await lab.open("taken");
        await lab.gitOps.application("taken", "taken");
        await lab.ask(shop);
        await lab.succeeded(shop);

        await lab.gitOps.patch("taken", { spec: { syncPolicy: { automated: { enabled: true } } } });
        const lost = await lab.untilPersisted(shop, "HoldLost");

        expect(persisted(lost)?.status).toBe("False");
        expect(await lab.automated("taken")).toMatchObject({ enabled: true });
        const { metadata } = await lab.gitOps.liveApplication("taken");
        expect(metadata.annotations?.[OWNER_ANNOTATIONS.held]).toBeUndefined();
        await shop.ended("undo");
      },

      "is put back although the record on the Application was stripped": async () => {
        const shop = await lab.open("stripped");
        await lab.gitOps.application("stripped", "stripped", {
          spec: { syncPolicy: { automated: { enabled: true } } },
        });
        await lab.ask(shop);
        await lab.succeeded(shop);

        await lab.gitOps.patch("stripped", { metadata: { annotations: { [OWNER_ANNOTATIONS.held]: null } } });
        await lab.gitOps.compared("stripped", "stripped", "OutOfSync", Date.now() + 10_000);
        await lab.untilPersisted(shop, "GitDiffers");
        await shop.annotate("undo", { [REQUEST_ANNOTATIONS.release]: "true" });

        const ended = await shop.ended("undo");
        expect(persisted(ended)?.reason).toBe("Released");
        expect(await lab.automated("stripped")).toEqual({ enabled: true });
      },

      "is over when the Application was deleted": async () => {
        const shop = await lab.open("orphan");
        await lab.gitOps.application("orphan", "orphan");
        await lab.ask(shop);
        await lab.succeeded(shop);

        await lab.world.client.delete(APPLICATIONS, { namespace: "argocd", name: "orphan" }, { signal });
        const ended = await shop.ended("undo");

        expect(persisted(ended)?.message).toContain("Application argocd/orphan is gone");
        expect(await lab.openHolds(shop)).toBeUndefined();
      },

      "a deletion of the request waits for the end of its hold; the namespace's does not": async () => {
        const shop = await lab.open("deleted");
        await lab.gitOps.application("deleted", "deleted");
        await lab.ask(shop);
        await lab.succeeded(shop);

        await shop.remove("undo");
        await lab.gitOps.compared("deleted", "deleted", "OutOfSync", Date.now() + 10_000);
        await lab.untilPersisted(shop, "GitDiffers");
        expect(await lab.automated("deleted")).toMatchObject({ enabled: false });

        await lab.world.kubectl(["delete", "namespace", "deleted", "--wait=false"]);
        await untilApplication(
          lab.gitOps,
          "deleted",
          "is started again",
          ({ spec }) => spec.syncPolicy?.automated?.enabled === undefined,
        );
      },

      "suspends a Kustomization of Flux, until a person lets Git win": async () => {
        const shop = await openShop(lab.world, "flux");
        const labels = {
          "kustomize.toolkit.fluxcd.io/name": "flux",
          "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        };
        await shop.open("web", { metadata: { labels } });
        await shop.release("web:v2");
        await watchWithHolds(lab.world, "flux");
        await lab.gitOps.kustomization("flux", "flux");

        await lab.ask(shop);
        await lab.succeeded(shop);
        expect((await lab.gitOps.liveKustomization("flux")).spec.suspend).toBe(true);
        expect(imageOf(await shop.live())).toBe("web:v1");

        await shop.annotate("undo", { [REQUEST_ANNOTATIONS.release]: "true" });
        await shop.ended("undo");
        expect((await lab.gitOps.liveKustomization("flux")).spec.suspend).toBeUndefined();
      },
    },
    TEST_MS,
  );

  it("is asked for only when there is something to hold, and leaves no mark", async () => {
    const { items } = await lab.world.client.list(APPLICATIONS, { namespace: "argocd", signal });
    expect(items.filter(({ metadata }) => metadata.annotations?.[REFRESH] !== undefined)).toEqual([]);
  });

  it("leaves only statuses that waiters can read", async () => {
    expect(statusComplaints(await storedVersions(lab.world.controlPlane.auditLogPath))).toEqual([]);
  });
});
