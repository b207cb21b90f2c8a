import type { ClusterLayout } from "../cluster/cluster-layout.ts";
import { loadImage, writeNodeImage } from "../cluster/image.ts";

/** A workload for real nodes that does nothing, in versions that differ by their image's tag. */
export async function loadIdleImages(layout: ClusterLayout, versions: readonly string[]): Promise<void> {
  for (const version of versions) {
    const archive = `build/idle-${version}.tar`;
    await writeNodeImage(
      {
        name: idleImage(version),
        files: [],
        entrypoint: ["/usr/bin/node", "-e", "setInterval(() => {}, 1e6)"],
      },
      archive,
    );
    await loadImage(layout, archive);
  }
}

export function idleImage(version: string): string {
  return `localhost/idle:${version}`;
}

/** Manifest of Deployment `web` with two pods; `minReadySeconds` makes its rollouts slow. */
export function idleDeployment(version: string, spec: { readonly minReadySeconds?: number } = {}): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      ...spec,
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "app", image: idleImage(version), imagePullPolicy: "Never" }],
        },
      },
    },
  });
}

/** Manifest of a RollbackRequest for it. */
export function undoRequest(name: string, soak = "3s"): string {
  return JSON.stringify({
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackRequest",
    metadata: { name },
    spec: {
      reason: "e2e",
      steps: [{ name: "app", workload: { kind: "Deployment", name: "web" } }],
      verification: { settle: "1s", soak, interval: "1s" },
    },
  });
}
