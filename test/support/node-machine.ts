import { spawnSync } from "node:child_process";

/**
 * What this machine lacks to run a node of its own, one line each; empty when it can. In a process of its own, since
 * jest must know what to skip when the file is loaded, and the look at the machine is asynchronous.
 */
export function lacksOfThisMachine(): string {
  const context = process.env["CLUSTER_CONTEXT"] ?? "";
  if (context !== "")
    return `  - CLUSTER_CONTEXT=${context} names the cluster to test on (own-cluster.test.ts)`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["test/e2e/probe.mts"], {
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : `the probe failed: ${stderr.trim()}`;
}
