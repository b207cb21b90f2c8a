import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { OWNER_ANNOTATIONS } from "../../src/crds/annotations.ts";
import { APPLICATIONS, KUSTOMIZATIONS, type Application, type FluxObject } from "../../src/gitops/kinds.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { isInvalid, isNotFound } from "../../src/kube/errors.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { namespaceType } from "../../src/kube/well-known.ts";
import { goModuleFolder } from "../cluster/go-module.ts";
import type { Kubectl } from "./kubectl.ts";
import type { PartialSpec } from "./shop.ts";
import { until, type World } from "./world.ts";
import { installArgoCdCrds } from "./argo-cd.ts";
import { awaitEstablished } from "./established.ts";

/**
 * Objects of Argo CD and Flux of their real kinds, without their controllers: what those would write is written by the
 * test. The real Argo CD is in test/integration/argo-cd*.test.ts; Flux's controllers cannot be built from modules.
 */
export interface GitOpsWorld {
  /** An Application that syncs by itself, has `web` of the namespace and, unless said otherwise, consents to its policy. */
  application(name: string, namespace: string, change?: ApplicationChange): Promise<void>;
  kustomization(name: string, namespace: string): Promise<void>;
  liveApplication(name: string): Promise<Application>;
  liveKustomization(name: string): Promise<FluxObject>;
  /** What Argo CD finds when it compares. */
  compared(name: string, namespace: string, status: "Synced" | "OutOfSync", at?: number): Promise<void>;
  patch(name: string, value: PartialSpec): Promise<void>;
}

export interface ApplicationChange {
  readonly spec?: PartialSpec;
  readonly consent?: string | null;
  readonly ownerReferences?: readonly object[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** False: its own list does not have `web`. */
  readonly lists?: boolean;
}

const KUSTOMIZATION_CRD = "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml";

const PROJECT = { project: "default", destination: { server: "https://kubernetes.default.svc" } };
const SOURCE = { source: { repoURL: "https://git.example.org/shop.git", path: "." } };

/** As much of the CRD as is needed to store its objects: the module of Flux's helm-controller cannot be had. */
const HELM_RELEASE_CRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: helmreleases.helm.toolkit.fluxcd.io}
spec:
  group: helm.toolkit.fluxcd.io
  scope: Namespaced
  names: {kind: HelmRelease, plural: helmreleases, singular: helmrelease}
  versions:
    - name: v2
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`;

/** The kinds out of their pinned modules, the account that holds, and namespace `argocd`. */
export async function installGitOps({ kubectl, client }: World): Promise<GitOpsWorld> {
  await installGitOpsCrds(kubectl);
  await kubectl(["apply", "-k", "deploy/gitops-hold"]);
  const { signal } = new AbortController();
  for (const name of ["argocd", "flux-system"])
    await client.create(namespaceType, { metadata: { name } }, { signal });
  const web = (namespace: string, status: string) => ({
    group: "apps",
    version: "v1",
    kind: "Deployment",
    namespace,
    name: "web",
    status,
  });
  const patch = async (name: string, value: PartialSpec) => {
    await client.patch(APPLICATIONS, { namespace: "argocd", name }, mergePatch(value), { signal });
  };
  return {
    patch,
    async application(name, namespace, change = {}) {
      const { consent = `${namespace}/web`, ownerReferences, annotations, lists = true } = change;
      const consents = consent === null ? {} : { [OWNER_ANNOTATIONS.consent]: consent };
      await client.create(
        APPLICATIONS,
        {
          metadata: {
            namespace: "argocd",
            name,
            annotations: { ...consents, ...annotations },
            ...(ownerReferences === undefined ? {} : { ownerReferences: ownerReferences as never }),
          },
          spec: {
            ...PROJECT,
            ...SOURCE,
            syncPolicy: { automated: { selfHeal: true, prune: true } },
            ...change.spec,
          },
        },
        { signal },
      );
      await patch(name, { status: { resources: lists ? [web(namespace, "Synced")] : [] } });
    },
    async kustomization(name, namespace) {
      await client.create(
        KUSTOMIZATIONS,
        {
          metadata: {
            namespace: "flux-system",
            name,
            annotations: { [OWNER_ANNOTATIONS.consent]: `${namespace}/web` },
          },
          spec: {
            interval: "1m",
            prune: true,
            sourceRef: { kind: "GitRepository", name: "shop" },
          } as FluxObject["spec"],
        },
        { signal },
      );
      const live = await client.get(KUSTOMIZATIONS, { namespace: "flux-system", name }, { signal });
      const entries = [{ id: `${namespace}_web_apps_Deployment`, v: "v1" }];
      await client.replaceStatus(KUSTOMIZATIONS, { ...live, status: { inventory: { entries } } }, { signal });
    },
    liveApplication: (name) => client.get(APPLICATIONS, { namespace: "argocd", name }, { signal }),
    liveKustomization: (name) => client.get(KUSTOMIZATIONS, { namespace: "flux-system", name }, { signal }),
    async compared(name, namespace, status, at = Date.now()) {
      await patch(name, {
        status: { reconciledAt: new Date(at).toISOString(), resources: [web(namespace, status)] },
      });
    },
  };
}

async function installGitOpsCrds(kubectl: Kubectl): Promise<void> {
  const flux = await goModuleFolder("github.com/fluxcd/kustomize-controller");
  const kustomizations = await readFile(join(flux, KUSTOMIZATION_CRD), "utf8");
  await installArgoCdCrds(kubectl);
  // Its descriptions are longer than what an annotation of kubectl's can hold.
  await kubectl(["apply", "--server-side", "-f", "-"], [kustomizations, HELM_RELEASE_CRD].join("\n---\n"));
  await awaitEstablished(kubectl, [
    "crd/kustomizations.kustomize.toolkit.fluxcd.io",
    "crd/helmreleases.helm.toolkit.fluxcd.io",
  ]);
}

/** Takes the mark away by which Argo CD is asked to look, as it does when it has looked; until the signal aborts. */
export async function answerRefreshes(client: KubeClient, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(100, undefined, { signal }).catch(() => undefined);
    const { items } = await client
      .list(APPLICATIONS, { namespace: "argocd", signal })
      .catch(() => ({ items: [] }));
    for (const { metadata } of items) {
      if (metadata.annotations?.["argocd.argoproj.io/refresh"] === undefined) continue;
      const value = { metadata: { annotations: { "argocd.argoproj.io/refresh": null } } };
      await client
        .patch(APPLICATIONS, { namespace: "argocd", name: metadata.name }, mergePatch(value), { signal })
        .catch((error: unknown) => {
          if (!signal.aborted && !isNotFound(error) && !isInvalid(error)) throw error;
        });
    }
  }
}

/** Waits until an Application is as `ok` wants it. */
export function untilApplication(
  { liveApplication }: GitOpsWorld,
  name: string,
  what: string,
  ok: (application: Application) => boolean,
): Promise<Application> {
  return until(`Application ${name} ${what}`, () => liveApplication(name), ok);
}

/** A policy `web` that watches the Deployment of that name, and lets rollbacks of it stop GitOps tools, or not. */
export async function watchWithHolds(
  { kubectl }: Pick<World, "kubectl">,
  namespace: string,
  gitOps: "Hold" | "Refuse" = "Hold",
): Promise<void> {
  const spec = {
    target: { kind: "Deployment", name: "web" },
    signals: [{ name: "errors", prometheus: { query: "vector(0)" } }],
    matrix: [{ name: "row", when: { signal: "errors", above: "1" }, action: "Notify" }],
    guards: { gitOps },
  };
  const manifest = { apiVersion: "rollback.llm-research-lab.io/v1alpha1", kind: "RollbackPolicy" };
  const policy = { ...manifest, metadata: { name: "web", namespace }, spec };
  await kubectl(["apply", "-f", "-"], JSON.stringify(policy));
}
