import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { createCgroup } from "./cgroups.ts";
import type { ClusterLayout } from "./cluster-layout.ts";
import {
  apiServer,
  type Component,
  controllerManager,
  etcd,
  kubeconfig,
  writeControlPlaneFiles,
} from "./components.ts";
import { type DetachedProcesses, detachedProcess, startDetached } from "./detached.ts";
import type { HostAbilities } from "./host-probes.ts";
import { loadImage } from "./image.ts";
import { bridgesPassIptables, createNetwork } from "./network.ts";
import { type NodeFiles, writeNodeFiles } from "./node.ts";
import { writePauseImage } from "./pause-image.ts";
import type { Progress } from "./progress.ts";
import { waitForUnless } from "./readiness.ts";
import { tryCommand } from "./run-command.ts";

export interface ClusterStart {
  readonly layout: ClusterLayout;
  readonly binaries: Binaries;
  /** Undefined: only the control plane. */
  readonly host: HostAbilities | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/** kubectl against a cluster, entered into its network. */
export function kubectlCommand(layout: ClusterLayout, kubectl: string): readonly string[] {
  return [...layout.enter, kubectl, `--kubeconfig=${layout.files.kubeconfig}`];
}

/** Starts everything and waits until the cluster can be used. What it started stays when it throws. */
export async function startCluster(start: ClusterStart): Promise<void> {
  const { layout, host } = start;
  const processes = startDetached(layout.dir);
  if (host !== undefined) {
    await createNetwork(layout);
    createCgroup(layout.cgroup);
  }
  const access = await writeControlPlaneFiles(layout.files, layout.addresses);
  await writeFile(layout.files.kubeconfig, kubeconfig(access, access.adminToken), { mode: 0o600 });
  await Promise.all([
    startControlPlane(start, processes),
    host === undefined ? undefined : startContainerRuntime(start, host, processes),
  ]);
  if (host !== undefined) await startNode(start, host, processes);
  await ready(start, processes, "service account default", ["get", "serviceaccount", "default"]);
}

async function startControlPlane(start: ClusterStart, processes: DetachedProcesses): Promise<void> {
  const { layout, binaries, host, progress } = start;
  const run = ({ name, args }: Component): void =>
    processes.start(name, [...layout.enter, binaries[name], ...args]);
  progress.step("starting etcd and kube-apiserver");
  run(etcd(layout.files, layout.addresses));
  run(apiServer(layout.files, layout.addresses));
  await ready(start, processes, "kube-apiserver", ["get", "--raw", "/readyz"]);
  progress.step("starting controllers");
  run(controllerManager(layout.files, layout.addresses));
  if (host === undefined) return;
  const scheduler = [`--kubeconfig=${layout.files.kubeconfig}`, "--leader-elect=false", "--secure-port=0"];
  run({ name: "kube-scheduler", args: scheduler });
}

async function startContainerRuntime(
  { layout, signal }: ClusterStart,
  host: HostAbilities,
  processes: DetachedProcesses,
): Promise<void> {
  const node = await writeNodeFiles(layout, host);
  const containerd = ["containerd", "--config", node.containerdConfig];
  const command = [...layout.enter, "unshare", "--mount", "sh", node.mountScript, ...containerd];
  processes.start("containerd", command, node.path);
  await writePauseImage(node.pauseArchive);
  const answers = async (): Promise<boolean> =>
    (await tryCommand(["ctr", "--address", layout.containerdSocket, "--timeout", "2s", "version"])).ok;
  await waitForUnless(processes.failure, "containerd answers", answers, {
    timeoutMs: 60_000,
    ...(signal && { signal }),
  });
  await loadImage(layout, node.pauseArchive);
}

async function startNode(
  start: ClusterStart,
  host: HostAbilities,
  processes: DetachedProcesses,
): Promise<void> {
  const { layout, binaries, progress } = start;
  progress.step("starting kubelet and kube-proxy");
  const containerd = detachedProcess(layout.dir, "containerd");
  if (containerd === undefined) throw new Error(`no pid file of containerd in ${layout.dir}`);
  const node: NodeFiles = await writeNodeFiles(layout, host);
  const network = layout.enter.filter((word) => word !== "--");
  const inside = [...network, `--mount=/proc/${containerd.pid}/ns/mnt`, "--"];
  const identity = [`--kubeconfig=${layout.files.kubeconfig}`, `--hostname-override=${layout.nodeName}`];
  const kubelet = [
    `--config=${node.kubeletConfig}`,
    ...identity,
    `--root-dir=${join(layout.dir, "kubelet")}`,
    `--node-ip=${layout.addresses.apiHost}`,
  ];
  processes.start("kubelet", [...inside, binaries.kubelet, ...kubelet], node.path);
  const proxy = [
    ...identity,
    `--cluster-cidr=${layout.addresses.podCidr}`,
    "--proxy-mode=iptables",
    "--metrics-bind-address=127.0.0.1:10249",
    // Connection tracking is limited for the whole machine, not for a namespace.
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-established=0",
    "--conntrack-tcp-timeout-close-wait=0",
    // Otherwise a neighbour's reply would go straight over the bridge, past the translation back.
    `--masquerade-all=${!(await bridgesPassIptables(layout))}`,
  ];
  processes.start("kube-proxy", [...inside, binaries["kube-proxy"], ...proxy], node.path);
  const isReady = ["wait", `node/${layout.nodeName}`, "--for=condition=Ready", "--timeout=2s"];
  await ready(start, processes, `node ${layout.nodeName}`, isReady);
}

async function ready(
  { layout, binaries, signal }: ClusterStart,
  processes: DetachedProcesses,
  what: string,
  kubectlArgs: readonly string[],
): Promise<void> {
  const kubectl = kubectlCommand(layout, binaries.kubectl);
  const probe = async (): Promise<boolean> =>
    (await tryCommand([...kubectl, ...kubectlArgs], { timeoutMs: 5000 })).ok;
  const options = { timeoutMs: 90_000, intervalMs: 100, ...(signal && { signal }) };
  await waitForUnless(processes.failure, `${what} is ready`, probe, options);
}
