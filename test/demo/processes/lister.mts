/**
 * Service discovery for a Prometheus that was built without Kubernetes: lists the pods that ask to be scraped and
 * writes them as file_sd targets.
 *
 *   node lister.mts STAGE_FILE TARGETS_FILE
 */
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { podType } from "../../../src/kube/well-known.ts";
import { adminClient } from "../admin-client.ts";
import { readStage } from "../demo-layout.ts";
import { scrapeTarget } from "./scrape-target.ts";

const INTERVAL_MS = 500;
const [stageFile = "", targetsFile = ""] = process.argv.slice(2);
const { client } = adminClient(readStage(stageFile), "demo-lister");
let written = "";

for (;;) {
  try {
    const { items } = await client.list(podType, { signal: AbortSignal.timeout(5000) });
    write(JSON.stringify(items.map(scrapeTarget).filter((target) => target !== undefined)));
  } catch (error) {
    // The targets stay as they are: an API server that is away for a moment must not look like missing pods.
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  await sleep(INTERVAL_MS);
}

function write(targets: string): void {
  if (targets === written) return;
  writeFileSync(`${targetsFile}.new`, targets);
  renameSync(`${targetsFile}.new`, targetsFile);
  written = targets;
}
