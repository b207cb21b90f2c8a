import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "../../cluster/progress.ts";
import { waitFor } from "../../cluster/readiness.ts";
import type { Kubectl } from "../../support/kubectl.ts";
import { type DemoLayout, OURS, TOOLS_NAMESPACE } from "../demo-layout.ts";
import { CONTEXT_IMAGES, packImages } from "../images.ts";
import { installOperatorPods } from "../operator-pods.ts";
import { writeOverlay } from "../overlay.ts";
import { contextKubectl } from "./access.ts";
import { refuseForeign } from "./claims.ts";
import { loadCommands, missingImages } from "./images.ts";

const DEFAULT_PROMETHEUS = "docker.io/prom/prometheus:v3.5.0";
const TOOLS = "test/demo/context/manifests";

/**
 * Prometheus and the operator on a cluster of the user's own. Changes nothing when something of the same name is there
 * that is not the demo's; throws with the commands that load the images when the cluster lacks them.
 */
export async function prepareContext(
  demo: DemoLayout & { readonly context: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const kubectl = await contextKubectl(demo.context);
  progress.step(`asking the cluster of context ${demo.context} what it has`);
  const { code, stderr } = await kubectl.attempt(["get", "--raw", "/readyz"]);
  if (code !== 0) throw new Error(`the cluster of context ${demo.context} does not answer: ${stderr.trim()}`);
  await mkdir(demo.dir, { recursive: true });
  const at = (name: string): string => join(demo.dir, name);
  await refuseForeign(kubectl, [
    await writeOverlay(at("claims-crds"), { resources: ["deploy/crds"] }),
    await writeOverlay(at("claims"), { resources: ["deploy/manifests"] }),
  ]);
  await packImages(CONTEXT_IMAGES, progress);
  await kubectl(["apply", "-f", join(TOOLS, "namespace.yaml")]);
  // Pods are refused until it is there. Not by `kubectl wait --for=create`: the user's kubectl may be older than 1.31.
  const account = ["get", "serviceaccount", "default", "-n", TOOLS_NAMESPACE];
  await waitFor(
    `ServiceAccount ${TOOLS_NAMESPACE}/default`,
    async () => (await kubectl.attempt(account)).code === 0,
    { timeoutMs: 30_000, intervalMs: 200, signal },
  );
  progress.step("trying the images");
  const missing = await missingImages(kubectl, signal);
  if (missing.length > 0) {
    throw new Error(
      `the cluster has not all images: load them, then start again\n${loadCommands(demo.context, missing)}`,
    );
  }
  const prometheusUrl = await startPrometheus(kubectl, at("tools"), progress);
  progress.step("installing the operator: CRDs, rights, two replicas");
  await installOperatorPods({ kubectl, dir: demo.dir, prometheusUrl, labels: OURS });
  progress.done("the operator runs: two pods of its own image, from deploy/crds and deploy/manifests");
}

/** Resolves with its address for pods. By number: a cluster need not have DNS. */
async function startPrometheus(kubectl: Kubectl, folder: string, progress: Progress): Promise<string> {
  const image = process.env["PROMETHEUS_IMAGE"] ?? DEFAULT_PROMETHEUS;
  progress.step(`starting Prometheus (${image})`);
  const path = "/spec/template/spec/containers/0/image";
  const patch = {
    kind: "Deployment",
    name: "prometheus",
    operations: [{ op: "replace", path, value: image }],
  };
  await kubectl([
    "apply",
    "-k",
    await writeOverlay(folder, { resources: [TOOLS], patches: [patch as never] }),
  ]);
  const deployment = ["-n", TOOLS_NAMESPACE, "deployment/prometheus"];
  const { code } = await kubectl.attempt(["rollout", "status", ...deployment, "--timeout=180s"]);
  if (code !== 0) {
    const pods = await kubectl.attempt(["get", "pods", "-n", TOOLS_NAMESPACE]);
    throw new Error(
      `Prometheus does not start; PROMETHEUS_IMAGE=... names another image than ${image}:\n${pods.stdout}${pods.stderr}`,
    );
  }
  const service = ["get", "service", "prometheus", "-n", TOOLS_NAMESPACE];
  const address = (await kubectl([...service, "-o", "jsonpath={.spec.clusterIP}"])).trim();
  return `http://${address.includes(":") ? `[${address}]` : address}:9090`;
}
