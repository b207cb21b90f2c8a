import type { Deployment, PodTemplateSpec, ReplicaSet } from "../../kube/well-known.ts";
import { REVISION, revisionsOf, type Revision } from "../revisions.ts";
import { HASH_LABEL } from "../template.ts";

/** A release of a Deployment in tests: its image, and what else its template has. */
export interface Release {
  readonly revision: number;
  readonly image: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Numbers it had before it was deployed again, as the annotation has them. */
  readonly history?: string;
  readonly changeCause?: string;
}

const LABELS = { app: "web" };

export function templateOf({ image, annotations }: Pick<Release, "image" | "annotations">): PodTemplateSpec {
  return {
    metadata: { labels: LABELS, ...(annotations === undefined ? {} : { annotations }) },
    spec: { containers: [{ name: "app", image }] },
  };
}

/** A Deployment `shop/web` whose live template is that of the newest release, complete. */
export function deploymentOf(
  releases: readonly Release[],
  spec: Partial<Deployment["spec"]> = {},
): Deployment {
  const newest = releases.reduce((a, b) => (a.revision > b.revision ? a : b));
  const replicas = spec.replicas ?? 2;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "web",
      namespace: "shop",
      uid: "deployment-uid",
      resourceVersion: "1",
      generation: newest.revision,
      creationTimestamp: "2026-01-01T00:00:00Z",
      annotations: { [REVISION]: String(newest.revision) },
    },
    spec: { replicas, selector: { matchLabels: LABELS }, template: templateOf(newest), ...spec },
    status: {
      observedGeneration: newest.revision,
      replicas,
      updatedReplicas: replicas,
      availableReplicas: replicas,
    },
  };
}

/** The ReplicaSet of a release; its UID and hash follow from its image and annotations. */
export function replicaSetOf(release: Release): ReplicaSet {
  const template = templateOf(release);
  const hash = hashOf(release);
  const labels = { ...LABELS, [HASH_LABEL]: hash };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `web-${hash}`,
      namespace: "shop",
      uid: `uid-${hash}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels,
      annotations: {
        [REVISION]: String(release.revision),
        ...(release.history === undefined
          ? {}
          : { "deployment.kubernetes.io/revision-history": release.history }),
        ...(release.changeCause === undefined ? {} : { "kubernetes.io/change-cause": release.changeCause }),
      },
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "deployment-uid", controller: true },
      ],
    },
    spec: {
      selector: { matchLabels: labels },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

export function hashOf({ image, annotations }: Pick<Release, "image" | "annotations">): string {
  return `${image}${JSON.stringify(annotations ?? "")}`.replaceAll(/[^a-z0-9]/g, "");
}

export function historyOf(releases: readonly Release[]): readonly Revision[] {
  return revisionsOf(deploymentOf(releases), releases.map(replicaSetOf));
}
