import { homedir } from "node:os";
import { join } from "node:path";
import { type Addresses, type ControlPlaneFiles, controlPlaneFiles } from "./components.ts";

/** `node`: a whole cluster in its own network namespace. `control-plane`: no node, on ports of 127.0.0.1. */
export type ClusterKind = "node" | "control-plane";

/** What is written down about a cluster before anything of it is made. */
export interface ClusterRecord {
  readonly name: string;
  readonly kind: ClusterKind;
  /** Number that no other cluster of this machine has: it chooses the addresses. */
  readonly slot: number;
  /** Only of a control plane; in a network namespace ports are fixed. */
  readonly ports?: Pick<Addresses, "apiPort" | "etcdClientPort" | "etcdPeerPort">;
  /** Paths of the programs and flags that it runs: a cluster of other ones is replaced, not reused. */
  readonly fingerprint: string;
  readonly phase: "starting" | "up";
}

/** Where everything of a cluster lies. */
export interface ClusterLayout {
  readonly name: string;
  readonly nodeName: string;
  /** Configuration, data, pid files and logs. */
  readonly dir: string;
  /** Sockets and mounts: short, for a socket's path holds 107 bytes. */
  readonly runDir: string;
  readonly recordPath: string;
  readonly files: ControlPlaneFiles;
  readonly addresses: Addresses;
  readonly networkNamespace: string;
  readonly containerdSocket: string;
  /** Below each hierarchy of /sys/fs/cgroup. */
  readonly cgroup: string;
  /** Put in front of a command, it runs inside the cluster's network. Empty for a control plane. */
  readonly enter: readonly string[];
}

/** Sixteen-bit networks 10.100 to 10.131, one a cluster. */
export const SLOTS = 32;
const RUN_FOLDER = "/run/rollback-operator";

/** Folder with one folder for each cluster. */
export function clustersFolder(): string {
  if (process.getuid?.() === 0) return "/var/lib/rollback-operator/clusters";
  const base = process.env["XDG_STATE_HOME"] ?? "";
  return join(base === "" ? join(homedir(), ".local", "state") : base, "rollback-operator", "clusters");
}

/** Throws for names that would not fit into host, cgroup, namespace and socket names. */
export function checkClusterName(name: string): void {
  if (/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/.test(name)) return;
  throw new Error(
    `cluster name "${name}": use 1 to 20 lower-case letters, digits and dashes, a letter first`,
  );
}

export function recordPath(name: string): string {
  return join(clustersFolder(), name, "cluster.json");
}

export function clusterLayout({
  name,
  kind,
  slot,
  ports,
}: Omit<ClusterRecord, "fingerprint" | "phase">): ClusterLayout {
  checkClusterName(name);
  const dir = join(clustersFolder(), name);
  const networkNamespace = `rollback-${name}`;
  const net = `10.${100 + slot}`;
  const inNamespace: Addresses = {
    apiHost: `${net}.0.1`,
    apiPort: 6443,
    etcdClientPort: 2379,
    etcdPeerPort: 2380,
    serviceCidr: `${net}.16.0/20`,
    podCidr: `${net}.32.0/20`,
  };
  const addresses = kind === "node" ? inNamespace : { ...inNamespace, apiHost: "127.0.0.1", ...ports };
  return {
    name,
    nodeName: `${name}-node`,
    dir,
    runDir: join(RUN_FOLDER, name),
    recordPath: recordPath(name),
    files: controlPlaneFiles(dir),
    addresses,
    networkNamespace,
    containerdSocket: join(RUN_FOLDER, name, "containerd.sock"),
    cgroup: `rollback-operator-${name}`,
    enter: kind === "node" ? enter(name) : [],
  };
}

/** The command prefix that enters the network namespace of a cluster with a node. */
export function enter(name: string): readonly string[] {
  // Not `ip netns exec`: it mounts /sys anew and so hides the cgroups.
  return ["nsenter", `--net=/run/netns/rollback-${name}`, "--"];
}
