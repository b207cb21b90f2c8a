import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { DemoLayout } from "./demo-layout.ts";
import { stopServices } from "./services.ts";

/** Ends the demo's processes, then the cluster, then forgets the kubectl that led into it. */
export async function takeDown(demo: DemoLayout, removeCluster: () => Promise<void>): Promise<void> {
  await stopServices(demo);
  await removeCluster();
  if (leadsInto(demo)) await rm(demo.kubectl, { force: true });
}

/** Another demo may have written a kubectl of its own at the same place. */
function leadsInto({ kubectl, name }: DemoLayout): boolean {
  try {
    return readFileSync(kubectl, "utf8").includes(`/rollback-${name} `);
  } catch {
    return false;
  }
}
