import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { OWNER_ANNOTATIONS, REQUEST_ANNOTATIONS } from "../../src/crds/annotations.ts";
import type { RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { readAudit } from "../cluster/audit.ts";
import {
  ARGO_CD_ACCOUNT,
  startArgoCd,
  type Application,
  type ArgoCd,
  webManifest,
} from "../support/argo-cd.ts";
import { lacksOfArgoCd } from "../support/argo-cd-lacks.ts";
import { watchWithHolds } from "../support/gitops.ts";
import { inParallel } from "../support/in-parallel.ts";
import { imageOf, openShop, readyOf, type Shop } from "../support/shop.ts";
import { startWorld, until, type World } from "../support/world.ts";

const START_MS = 180_000;
const TEST_MS = 180_000;
/** Argo CD compares every ten seconds here, and whoever waits has other tests beside. */
const PATIENCE_MS = 90_000;

const lacks = lacksOfArgoCd();
if (lacks !== "") console.log(`holds of Argo CD are not tested here, it cannot be run:\n${lacks}`);
const describeWithArgoCd = lacks === "" ? describe : describe.skip;

const consent = (namespace: string) => ({ [OWNER_ANNOTATIONS.consent]: `${namespace}/web` });

describeWithArgoCd("a rollback of what the real Argo CD applies and heals", () => {
  let world: World;
  let argo: ArgoCd;

  beforeAll(async () => {
    world = await startWorld();
    await world.kubectl(["apply", "-k", "deploy/gitops-hold"]);
    argo = await startArgoCd(world);
    await world.operator();
  }, START_MS);

  afterAll(async () => {
    await argo?.stop();
    await world?.stop();
  }, START_MS);

  const file = (namespace: string) => `${namespace}/web.json`;

  /** Git says web:v2 and that is live; web:v1 was before. */
  async function released(namespace: string, create: (shop: Shop) => Promise<unknown>): Promise<Shop> {
    const shop = await openShop(world, namespace);
    const first = await argo.repository.commit(`${namespace} v1`, {
      [file(namespace)]: webManifest("web:v1"),
    });
    await create(shop);
    await synced(namespace, first);
    await complete(shop, "web:v1");
    const second = await argo.repository.commit(`${namespace} v2`, {
      [file(namespace)]: webManifest("web:v2"),
    });
    await synced(namespace, second);
    await complete(shop, "web:v2");
    await watchWithHolds(world, namespace);
    return shop;
  }

  /** Commits of other stories move the revision on: what counts is that this one's files are applied. */
  async function synced(name: string, atLeast: string): Promise<void> {
    await argo.refresh(name);
    await argo.shows(
      name,
      `has synced since ${atLeast}`,
      ({ status }) => status?.sync?.status === "Synced" && status.operationState?.phase === "Succeeded",
    );
  }

  async function complete(shop: Shop, image: string): Promise<void> {
    await until(
      `${shop.namespace} runs ${image}`,
      () => shop.live().catch(() => undefined),
      (web) =>
        web !== undefined &&
        imageOf(web) === image &&
        web.status?.observedGeneration === web.metadata.generation &&
        web.status?.updatedReplicas === 1 &&
        web.status.availableReplicas === 1 &&
        web.status.replicas === 1,
      PATIENCE_MS,
    );
  }

  const automated = (namespace: string, more: object = {}) =>
    argo.create({
      name: namespace,
      into: namespace,
      path: namespace,
      automated: { selfHeal: true, prune: true },
      annotations: consent(namespace),
      ...more,
    });

  const ask = (shop: Shop) => shop.ask("undo", { strategy: "Previous" }, { verification: { checks: [] } });

  const persisted = ({ status }: RollbackRequest) =>
    status?.conditions?.find(({ type }) => type === "Persisted");

  const untilPersisted = (shop: Shop, reason: string) =>
    until(
      `${shop.namespace}/undo is ${reason}`,
      () => shop.request("undo"),
      (request) => persisted(request)?.reason === reason,
      PATIENCE_MS,
    );

  const automation = ({ spec }: Application) =>
    (spec["syncPolicy"] as { readonly automated?: object } | undefined)?.automated;

  /** What Argo CD wrote to the Deployment since then, ms. */
  async function written(namespace: string, since: number): Promise<number> {
    const audit = await readAudit(world.controlPlane.auditLogPath);
    return audit
      .writes({ resource: "deployments", subresource: "", namespace, user: ARGO_CD_ACCOUNT })
      .filter(({ requestReceivedTimestamp }) => Date.parse(requestReceivedTimestamp) > since).length;
  }

  inParallel(
    {
      "lasts against self-heal, and ends when Git is reverted": async () => {
        const shop = await released("lasting", () => automated("lasting"));
        const before = automation(await argo.application("lasting"));

        const asked = Date.now();
        await ask(shop);
        const done = await shop.reaches("undo", "Succeeded");
        expect(imageOf(await shop.live())).toBe("web:v1");

        // It has compared since, and would have healed two seconds after that.
        await untilPersisted(shop, "GitDiffers");
        const compared = (await argo.application("lasting")).status?.sync?.revision;
        await argo.refresh("lasting");
        await argo.shows(
          "lasting",
          "has compared once more",
          ({ metadata }) => metadata.annotations?.["argocd.argoproj.io/refresh"] === undefined,
        );
        expect(compared).toBeDefined();
        expect(imageOf(await shop.live())).toBe("web:v1");
        expect(await written("lasting", asked)).toBe(0);
        expect(done.status?.holds).toMatchObject([{ state: "Held", found: "Absent" }]);

        await argo.repository.commit("lasting reverted", { [file("lasting")]: webManifest("web:v1") });
        await argo.refresh("lasting");
        const agreed = await untilPersisted(shop, "GitAgrees");
        expect(persisted(agreed)?.status).toBe("True");
        const after = await argo.application("lasting");
        expect(automation(after)).toEqual(before);
        expect(after.metadata.annotations?.[OWNER_ANNOTATIONS.held]).toBeUndefined();
        await argo.shows("lasting", "is synced again", ({ status }) => status?.sync?.status === "Synced");
        expect(imageOf(await shop.live())).toBe("web:v1");
      },

      "gives way to Git when a person lets it win": async () => {
        const shop = await released("released", () => automated("released"));
        await ask(shop);
        await shop.reaches("undo", "Succeeded");
        expect(imageOf(await shop.live())).toBe("web:v1");

        await shop.annotate("undo", { [REQUEST_ANNOTATIONS.release]: "true" });

        await untilPersisted(shop, "Released");
        await complete(shop, "web:v2");
      },

      "lasts under an app of apps that heals, whose manifest leaves the field alone": async () => {
        const shop = await released("child", () => parentOf("child", { selfHeal: true, prune: true }));

        await ask(shop);
        const done = await shop.reaches("undo", "Succeeded");

        expect(done.status?.plan?.holds).toMatchObject([
          { name: "child", chain: ["Application argocd/child-parent"], confirmBy: "argocd/child-parent" },
        ]);
        await argo.refresh("child-parent");
        await argo.shows(
          "child-parent",
          "has compared once more",
          ({ metadata }) => metadata.annotations?.["argocd.argoproj.io/refresh"] === undefined,
        );
        await untilPersisted(shop, "GitDiffers");
        expect(automation(await argo.application("child"))).toMatchObject({ enabled: false, selfHeal: true });
        expect(imageOf(await shop.live())).toBe("web:v1");
      },

      "is refused under an app of apps that sets the field itself": async () => {
        const shop = await released("forced", () =>
          parentOf("forced", { enabled: true, selfHeal: true, prune: true }),
        );

        await ask(shop);
        const ended = await shop.ended("undo");

        expect(ended.status?.phase).toBe("Failed");
        expect(readyOf(ended).message).toContain("Application argocd/forced-parent would start it again");
        expect(imageOf(await shop.live())).toBe("web:v2");
      },
    },
    TEST_MS,
  );

  /** An Application that makes the namespace's own one out of Git, and heals it. */
  async function parentOf(namespace: string, automatedInGit: object): Promise<void> {
    const { server } = world.controlPlane;
    const child = {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Application",
      metadata: { name: namespace, namespace: "argocd", annotations: consent(namespace) },
      spec: {
        project: "default",
        source: { repoURL: argo.repositoryUrl, path: namespace, targetRevision: "main" },
        destination: { server, namespace },
        syncPolicy: { automated: automatedInGit, retry: { limit: 0 } },
      },
    };
    await argo.repository.commit(`${namespace} has a parent`, {
      [`${namespace}-parent/application.json`]: JSON.stringify(child),
    });
    await argo.create({
      name: `${namespace}-parent`,
      into: "argocd",
      path: `${namespace}-parent`,
      automated: { selfHeal: true, prune: true },
    });
    await until(
      `Application ${namespace} is made`,
      () => argo.application(namespace).catch(() => undefined),
      (made) => made !== undefined,
      PATIENCE_MS,
    );
  }
});
