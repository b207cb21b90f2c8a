/**
 * Service discovery for a Prometheus that was built without Kubernetes: lists the pods that ask to be scraped and
 * writes them as file_sd targets.
 *
 *   node lister.mts STAGE_FILE TARGETS_FILE
 */
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Pod, podType } from "../../../src/kube/well-known.ts";
import { adminClient } from "../admin-client.ts";
import { readStage } from "../demo-layout.ts";

const INTERVAL_MS = 500;
const [stageFile = "", targetsFile = ""] = process.argv.slice(2);
const { client } = adminClient(readStage(stageFile), "demo-lister");
let written = "";

for (;;) {
  try {
    const { items } = await client.list(podType, { signal: AbortSignal.timeout(5000) });
    write(JSON.stringify(items.flatMap(targetOf)));
  } catch (error) {
    // The targets stay as they are: an API server that is away for a moment must not look like missing pods.
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  await sleep(INTERVAL_MS);
}

function targetOf(pod: Pod): readonly unknown[] {
  const { annotations = {}, labels = {}, name, namespace } = pod.metadata;
  const podIP = pod.status?.["podIP"];
  if (annotations["prometheus.io/scrape"] !== "true" || pod.status?.phase !== "Running") return [];
  if (typeof podIP !== "string") return [];
  const port = annotations["prometheus.io/port"] ?? "80";
  return [{ targets: [`${podIP}:${port}`], labels: { namespace, pod: name, app: labels["app"] ?? "" } }];
}

function write(targets: string): void {
  if (targets === written) return;
  writeFileSync(`${targetsFile}.new`, targets);
  renameSync(`${targetsFile}.new`, targetsFile);
  written = targets;
}
