import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type Binaries, type ClusterBinary, ensureBinaries, KUBERNETES_BINARIES } from "./binaries.ts";
import { removeCluster } from "./cluster-down.ts";
import {
  checkClusterName,
  type ClusterLayout,
  clusterLayout,
  type ClusterKind,
  type ClusterRecord,
  clustersFolder,
  recordPath,
  SLOTS,
} from "./cluster-layout.ts";
import { kubectlCommand, startCluster } from "./cluster-start.ts";
import { type AdminAccess, apiServer, controllerManager, serverUrl } from "./components.ts";
import { detachedProcess } from "./detached.ts";
import { type HostAbilities, probeHost } from "./host-probes.ts";
import { withLock } from "./lock.ts";
import { containerdConfig, kubeletConfig } from "./node.ts";
import { freePorts } from "./ports.ts";
import { isAlive } from "./processes.ts";
import { createProgress, type Progress } from "./progress.ts";
import { tryCommand } from "./run-command.ts";

export interface UpOptions {
  readonly controlPlaneOnly?: boolean;
  /** Where to write the kubectl that enters the cluster; one is always in the cluster's folder. */
  readonly kubectlPath?: string;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

export interface Cluster extends AdminAccess {
  readonly layout: ClusterLayout;
  readonly kubeconfigPath: string;
  readonly auditLogPath: string;
  /** Script: kubectl as administrator inside the cluster's network. */
  readonly kubectl: string;
  /** True when it was up already. */
  readonly reused: boolean;
}

export interface ClusterStatus {
  /** `absent`: nothing of it; `broken`: remains, or something that should run does not. */
  readonly state: "absent" | "broken" | "up";
  readonly kind?: ClusterKind;
  readonly processes: readonly {
    readonly name: string;
    readonly pid: number | undefined;
    readonly alive: boolean;
  }[];
  readonly apiReady: boolean;
  /** Undefined without a node. */
  readonly nodeReady?: boolean;
}

const CONTROL_PLANE: readonly ClusterBinary[] = ["etcd", "kube-apiserver", "kube-controller-manager"];
const NODE_PROCESSES = ["kube-scheduler", "containerd", "kubelet", "kube-proxy"];

/**
 * Brings a cluster up: a healthy one of this name, kind and version is reused, anything else of this name is removed
 * first. Throws with one line for each thing that the machine lacks.
 */
export async function up(name: string, options: UpOptions = {}): Promise<Cluster> {
  checkClusterName(name);
  const { progress = createProgress(), signal } = options;
  const kind: ClusterKind = options.controlPlaneOnly === true ? "control-plane" : "node";
  const host = kind === "node" ? await probeHost() : undefined;
  if (host !== undefined && host.lacks.length > 0) {
    throw new Error(
      `this machine cannot run a cluster:\n${host.lacks.map((line) => `  - ${line}`).join("\n")}`,
    );
  }
  const binaries: Binaries = await ensureBinaries(["etcd", ...KUBERNETES_BINARIES], progress, signal);
  return locked(name, progress, signal, async () => {
    const fingerprint = fingerprintOf(binaries, host);
    const existing = readRecord(name);
    const state = await statusOfRecord(name, existing, binaries.kubectl);
    const reusable = state.state === "up" && existing?.kind === kind && existing.fingerprint === fingerprint;
    if (existing !== undefined && reusable) {
      progress.done(`cluster ${name} is up already`);
      return describe(clusterLayout(existing), binaries, options, true);
    }
    if (state.state !== "absent") {
      progress.step(`removing what is left of cluster ${name}`);
      await removeLeftovers(name, existing);
    }
    const startedAt = performance.now();
    const record = await reserve(name, kind, fingerprint);
    const layout = clusterLayout(record);
    try {
      await startCluster({ layout, binaries, host, progress, signal });
    } catch (error) {
      if (process.env["KEEP_CLUSTER"] !== "1") await removeCluster(layout);
      throw error;
    }
    await writeRecord({ ...record, phase: "up" });
    progress.done(`cluster ${name} is up (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
    return describe(layout, binaries, options, false);
  });
}

/** Removes a cluster and everything of it. Does nothing when there is none. */
export async function down(name: string, options: { readonly progress?: Progress } = {}): Promise<void> {
  checkClusterName(name);
  const { progress = createProgress() } = options;
  await locked(name, progress, undefined, () => removeLeftovers(name, readRecord(name)));
}

/** Looks at the processes and asks the API server; changes nothing and builds nothing. */
export async function status(name: string): Promise<ClusterStatus> {
  checkClusterName(name);
  return statusOfRecord(name, readRecord(name), join(clustersFolder(), name, "kubectl"));
}

async function statusOfRecord(
  name: string,
  record: ClusterRecord | undefined,
  kubectl: string,
): Promise<ClusterStatus> {
  if (record === undefined) {
    return {
      state: existsSync(join(clustersFolder(), name)) ? "broken" : "absent",
      processes: [],
      apiReady: false,
    };
  }
  const layout = clusterLayout(record);
  const names = [...CONTROL_PLANE, ...(record.kind === "node" ? NODE_PROCESSES : [])];
  const processes = names.map((process) => {
    const identity = detachedProcess(layout.dir, process);
    return { name: process, pid: identity?.pid, alive: identity !== undefined && isAlive(identity) };
  });
  // The script enters the network by itself.
  const command = kubectl.startsWith(layout.dir) ? [kubectl] : kubectlCommand(layout, kubectl);
  const answer = async (...args: readonly string[]): Promise<string> =>
    (await tryCommand([...command, ...args], { timeoutMs: 10_000 })).stdout;
  const running = processes.every(({ alive }) => alive);
  const apiServerAlive = processes.some(({ name, alive }) => name === "kube-apiserver" && alive);
  const apiReady = apiServerAlive && (await answer("get", "--raw", "/readyz")) === "ok";
  const condition = `jsonpath={.status.conditions[?(@.type=="Ready")].status}`;
  const nodeReady =
    record.kind === "node"
      ? apiReady && (await answer("get", "node", layout.nodeName, "-o", condition)) === "True"
      : undefined;
  const healthy = record.phase === "up" && running && apiReady && nodeReady !== false;
  return {
    state: healthy ? "up" : "broken",
    kind: record.kind,
    processes,
    apiReady,
    ...(nodeReady !== undefined && { nodeReady }),
  };
}

async function removeLeftovers(name: string, record: ClusterRecord | undefined): Promise<void> {
  // Without a readable record the kind is unknown: a node's leftovers are looked for wherever they may be.
  const kind = record?.kind ?? (process.getuid?.() === 0 ? "node" : "control-plane");
  await removeCluster(clusterLayout({ name, kind, slot: record?.slot ?? 0 }));
}

function locked<T>(
  name: string,
  progress: Progress,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const onWait = (): void => progress.done(`waiting: another process is working on cluster ${name}`);
  return withLock(`cluster/${clustersFolder()}/${name}`, onWait, work, signal);
}

/** Writes the record, and so takes a slot, before anything else of the cluster exists. */
async function reserve(name: string, kind: ClusterKind, fingerprint: string): Promise<ClusterRecord> {
  return withLock(
    `slots/${clustersFolder()}`,
    () => undefined,
    async () => {
      const folder = clustersFolder();
      const others = existsSync(folder) ? readdirSync(folder).map(readRecord) : [];
      const taken = new Set(others.map((record) => record?.slot));
      const slot = Array.from({ length: SLOTS }, (_, index) => index).find((index) => !taken.has(index));
      if (slot === undefined) throw new Error(`all ${SLOTS} slots for clusters are taken: see ${folder}`);
      const [apiPort = 0, etcdClientPort = 0, etcdPeerPort = 0] = await freePorts(3);
      const ports = kind === "control-plane" ? { ports: { apiPort, etcdClientPort, etcdPeerPort } } : {};
      const record: ClusterRecord = { name, kind, slot, ...ports, fingerprint, phase: "starting" };
      await writeRecord(record);
      return record;
    },
  );
}

async function writeRecord(record: ClusterRecord): Promise<void> {
  const path = recordPath(record.name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(record)}\n`);
  await rename(`${path}.new`, path);
}

function readRecord(name: string): ClusterRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordPath(name), "utf8")) as ClusterRecord;
  } catch {
    return undefined;
  }
}

function fingerprintOf(binaries: Binaries, host: HostAbilities | undefined): string {
  const layout = clusterLayout({ name: "any", kind: host === undefined ? "control-plane" : "node", slot: 0 });
  const { files, addresses } = layout;
  const node = host === undefined ? [] : [containerdConfig(layout, host), kubeletConfig(layout)];
  const all = [binaries, apiServer(files, addresses), controllerManager(files, addresses), ...node];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex").slice(0, 16);
}

async function describe(
  layout: ClusterLayout,
  binaries: Binaries,
  options: UpOptions,
  reused: boolean,
): Promise<Cluster> {
  const kubectl = join(layout.dir, "kubectl");
  const script = `#!/bin/sh\n# kubectl for the test cluster "${layout.name}".\nexec ${kubectlCommand(layout, binaries.kubectl).join(" ")} "$@"\n`;
  for (const path of [
    kubectl,
    ...(options.kubectlPath === undefined ? [] : [resolve(options.kubectlPath)]),
  ]) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, script);
    await chmod(path, 0o755);
  }
  const [adminToken = ""] = (await readFile(layout.files.tokens, "utf8")).split(",");
  return {
    layout,
    server: serverUrl(layout.addresses),
    caData: await readFile(layout.files.certificates.caCert, "utf8"),
    adminToken,
    kubeconfigPath: layout.files.kubeconfig,
    auditLogPath: layout.files.auditLog,
    kubectl,
    reused,
  };
}
