import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { processesInCgroup, removeCgroup } from "./cgroups.ts";
import type { ClusterLayout } from "./cluster-layout.ts";
import { detachedProcess } from "./detached.ts";
import { mountsBelow } from "./mounts.ts";
import { processesInNetwork, removeNetwork } from "./network.ts";
import { identify, parentPid, type ProcessIdentity, stopProcesses } from "./processes.ts";
import { tryCommand } from "./run-command.ts";

const GRACE_MS = 3000;

/** In this order: what starts others first, what others need last. */
const STOP_ORDER = [
  ["kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager"],
  ["containerd", "kube-apiserver"],
  ["etcd"],
];

/**
 * Ends all processes of a cluster and removes all that it made. Works on any leftover: each part is looked for, none
 * is taken for granted.
 */
export async function removeCluster(layout: ClusterLayout): Promise<void> {
  const [starters = [], ...others] = STOP_ORDER;
  await stopNamed(layout, starters);
  if (layout.enter.length > 0) await stopProcesses(alive(processesInCgroup(layout.cgroup)), 0);
  for (const names of others) await stopNamed(layout, names);
  if (layout.enter.length > 0) await removeNode(layout);
  await stopProcesses(leftPidFiles(layout), GRACE_MS);
  await rm(layout.dir, { recursive: true, force: true });
}

async function removeNode(layout: ClusterLayout): Promise<void> {
  // Containers' supervisors, and whatever others run in the cluster's network, until none starts another.
  for (let round = 0; round < 5; round++) {
    const left = alive([...processesInNetwork(layout), ...processesInCgroup(layout.cgroup)]);
    if (left.length === 0) break;
    await stopProcesses(left, GRACE_MS);
  }
  await removeCgroup(layout.cgroup);
  // The mounts were private to the processes. Any that is visible here was made by hand or by an odd kernel.
  for (const path of [layout.dir, layout.runDir].flatMap(mountsBelow))
    await tryCommand(["umount", "--lazy", path]);
  await removeNetwork(layout);
  await rm(layout.runDir, { recursive: true, force: true });
}

async function stopNamed(layout: ClusterLayout, names: readonly string[]): Promise<void> {
  const found = names
    .map((name) => detachedProcess(layout.dir, name))
    .filter((process) => process !== undefined);
  await stopProcesses(found, GRACE_MS);
}

function leftPidFiles({ dir }: ClusterLayout): readonly ProcessIdentity[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.endsWith(".pid"))
    .map((name) => detachedProcess(dir, name.slice(0, -".pid".length)))
    .filter((process) => process !== undefined);
}

function alive(pids: readonly number[]): readonly ProcessIdentity[] {
  const own = ownAncestry();
  return [...new Set(pids)]
    .filter((pid) => !own.has(pid))
    .map(identify)
    .filter((process) => process !== undefined);
}

/** Whoever calls `down` from inside the network must not end itself, nor its shell. */
function ownAncestry(): ReadonlySet<number> {
  const pids = new Set<number>();
  for (let pid = process.pid; pid > 1 && !pids.has(pid); pid = parentPid(pid) ?? 0) pids.add(pid);
  return pids;
}
