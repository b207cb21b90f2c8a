import { mkdir, writeFile } from "node:fs/promises";
import { up } from "../cluster/cluster.ts";
import type { Progress } from "../cluster/progress.ts";
import { kubectlFor } from "../support/kubectl.ts";
import { installHttpRoutes } from "../support/route-crds.ts";
import { type DemoLayout, PROMETHEUS_PORT, type Stage } from "./demo-layout.ts";
import { loadImages } from "./images.ts";
import { installOperatorPods } from "./operator-pods.ts";

/** Cluster, images, the operator's pods: everything that needs this machine's own network. Leaves the stage file. */
export async function prepareStage(demo: DemoLayout, progress: Progress, signal: AbortSignal): Promise<void> {
  const cluster = await up(demo.name, { kubectlPath: demo.kubectl, progress, signal });
  await mkdir(demo.dir, { recursive: true });
  const kubectl = await kubectlFor(cluster.kubeconfigPath, cluster.layout.enter);
  await loadImages(cluster.layout, demo, progress);
  progress.step("installing the Gateway API's HTTPRoute");
  await installHttpRoutes(kubectl);
  progress.step("installing the operator: CRDs, rights, two replicas");
  // The cluster has no DNS; pods reach what runs in its network by the address of the API server.
  const prometheusUrl = `http://${cluster.layout.addresses.apiHost}:${PROMETHEUS_PORT}`;
  await installOperatorPods({ kubectl, dir: demo.dir, prometheusUrl });
  const { server, caData, adminToken, kubeconfigPath } = cluster;
  const stage: Stage = { name: demo.name, server, caData, adminToken, kubeconfigPath };
  await writeFile(demo.stageFile, JSON.stringify(stage), { mode: 0o600 });
  await writeFile(demo.tokenFile, adminToken, { mode: 0o600 });
  await writeFile(demo.caFile, caData);
  progress.done("the operator runs: two pods of its own image, from deploy/crds and deploy/manifests");
}
