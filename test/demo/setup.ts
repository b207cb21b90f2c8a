import { mkdir, writeFile } from "node:fs/promises";
import { up } from "../cluster/cluster.ts";
import type { Progress } from "../cluster/progress.ts";
import { installOperator } from "../support/operator-process.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { type DemoLayout, type Stage } from "./demo-layout.ts";
import { loadImages } from "./images.ts";

/** Longer than anybody leaves a demo up: an expired token would look like a broken operator. */
const TOKEN_LIFE = "720h";

/** Cluster, images, operator's manifests: everything that needs this machine's own network. Leaves the stage file. */
export async function prepareStage(demo: DemoLayout, progress: Progress, signal: AbortSignal): Promise<void> {
  const cluster = await up(demo.name, { kubectlPath: demo.kubectl, progress, signal });
  await mkdir(demo.dir, { recursive: true });
  const kubectl = await kubectlFor(cluster.kubeconfigPath, cluster.layout.enter);
  progress.step("installing the operator's kinds and rights, packing the sample application");
  const [operatorToken] = await Promise.all([
    installedOperatorToken(kubectl),
    loadImages(cluster.layout, demo, progress),
  ]);
  const { server, caData, adminToken, kubeconfigPath } = cluster;
  const stage: Stage = { name: demo.name, server, caData, adminToken, kubeconfigPath, operatorToken };
  await writeFile(demo.stageFile, JSON.stringify(stage), { mode: 0o600 });
  progress.done("the operator's kinds and rights are installed (deploy/crds, deploy/manifests/rights)");
}

async function installedOperatorToken(kubectl: Kubectl): Promise<string> {
  await installOperator(kubectl);
  const account = ["rollback-operator", "-n", "rollback-system"];
  return (await kubectl(["create", "token", ...account, `--duration=${TOKEN_LIFE}`])).trim();
}
