import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingControllers } from "./cgroups.ts";
import { findProgram, tryCommand } from "./run-command.ts";

/** What this machine offers to a cluster with a node. */
export interface HostAbilities {
  /** One line for each thing without which there is no cluster: what, why, what to do. */
  readonly lacks: readonly string[];
  /** How containerd stacks image layers: "native" copies them, where overlayfs cannot be mounted. */
  readonly snapshotter: "overlayfs" | "native";
  /** Variant of the iptables programs that this kernel understands. */
  readonly iptables: "iptables" | "iptables-legacy";
  readonly cniFolder: string;
}

const PROGRAMS: Readonly<Record<string, string>> = {
  containerd: "containerd",
  "containerd-shim-runc-v2": "containerd",
  ctr: "containerd",
  runc: "runc",
  iptables: "iptables",
  ip: "iproute2",
  nsenter: "util-linux",
  unshare: "util-linux",
  mount: "mount",
  openssl: "openssl",
};
const CNI_PLUGINS = ["bridge", "host-local", "loopback", "portmap"];
const NEEDED_MEGABYTES = 1000;

/** Tries each need once, in namespaces that vanish with the trial. */
export async function probeHost(): Promise<HostAbilities> {
  if (process.platform !== "linux") return lacking([`Linux is needed; this is ${process.platform}`]);
  if (process.getuid?.() !== 0)
    return lacking(["root is needed: network namespaces, cgroups and containerd belong to it"]);
  const missing = Object.entries(PROGRAMS)
    .filter(([program]) => findProgram(program) === undefined)
    .map(([program, aptPackage]) => `program ${program} is missing: apt-get install ${aptPackage}`);
  const cniFolder = ["/usr/lib/cni", "/opt/cni/bin"].find((folder) =>
    CNI_PLUGINS.every((plugin) => existsSync(join(folder, plugin))),
  );
  if (cniFolder === undefined) {
    missing.push(
      `CNI plugins ${CNI_PLUGINS.join(", ")} are missing: apt-get install containernetworking-plugins`,
    );
  }
  if (missing.length > 0) return lacking(missing);

  const [network, overlay, iptables] = await Promise.all([probeNetwork(), probeOverlay(), probeIptables()]);
  const controllers = missingControllers();
  const lacks = [
    network,
    iptables === undefined
      ? "iptables cannot write NAT rules: the kernel offers neither nf_tables nor ip_tables"
      : undefined,
    controllers.length > 0 ? `cgroup controllers ${controllers.join(", ")} are not available` : undefined,
    probeMemory(),
  ].filter((line) => line !== undefined);
  return {
    lacks,
    snapshotter: overlay ? "overlayfs" : "native",
    iptables: iptables ?? "iptables",
    cniFolder: cniFolder ?? "",
  };
}

function lacking(lacks: readonly string[]): HostAbilities {
  return { lacks, snapshotter: "overlayfs", iptables: "iptables", cniFolder: "" };
}

async function probeNetwork(): Promise<string | undefined> {
  const script =
    "ip link add probe0 type veth peer name probe1 && ip link add probe2 type bridge && ip link set probe0 master probe2";
  const { ok, stderr } = await tryCommand(["unshare", "--net", "--mount", "sh", "-c", script]);
  return ok ? undefined : `network namespaces with veth and bridge are needed: ${stderr.trim()}`;
}

async function probeOverlay(): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), "rollback-operator-overlay-"));
  try {
    const script = `cd '${dir}' && mkdir lower upper work all && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work all`;
    return (await tryCommand(["unshare", "--mount", "sh", "-c", script])).ok;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function probeIptables(): Promise<HostAbilities["iptables"] | undefined> {
  for (const variant of ["iptables", "iptables-legacy"] as const) {
    // The kinds of rules that kube-proxy writes.
    const script = `
      ${variant} -t nat -A POSTROUTING -m comment --comment x -j MASQUERADE &&
      ${variant} -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT &&
      ${variant} -t nat -A OUTPUT -m statistic --mode random --probability 0.5 -p tcp -j DNAT --to-destination 10.0.0.1:80`;
    if ((await tryCommand(["unshare", "--net", "sh", "-c", script])).ok) return variant;
  }
  return undefined;
}

function probeMemory(): string | undefined {
  const kilobytes = /MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  const megabytes = Math.floor(Number(kilobytes ?? Infinity) / 1024);
  if (megabytes >= NEEDED_MEGABYTES) return undefined;
  return `${NEEDED_MEGABYTES} MB of free memory are needed, ${megabytes} MB are available`;
}
