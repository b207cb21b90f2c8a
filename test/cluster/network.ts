import { existsSync, readdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ClusterLayout } from "./cluster-layout.ts";
import { readMounts } from "./mounts.ts";
import { runCommand, tryCommand } from "./run-command.ts";

const NAMESPACES = "/run/netns";

/**
 * Makes the cluster's network namespace. Nothing can leave it: the default route, needed so that service addresses
 * have a route before they are rewritten, leads into a pair of virtual cables with nobody at the other end.
 */
export async function createNetwork(layout: ClusterLayout): Promise<void> {
  await runCommand(["ip", "netns", "add", layout.networkNamespace]);
  const script = `
set -e
ip link set lo up
ip link add api0 type veth peer name api1
ip addr add ${layout.addresses.apiHost}/24 dev api0
ip link set api0 up
ip link set api1 up
ip route add default dev api0
echo 1 >/proc/sys/net/ipv4/ip_forward
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables; fi`;
  await runCommand([...layout.enter, "sh", "-c", script]);
}

export async function removeNetwork(layout: ClusterLayout): Promise<void> {
  const path = namespacePath(layout);
  if (readMounts().some((mount) => mount.path === path)) {
    await runCommand(["ip", "netns", "delete", layout.networkNamespace]);
  } else if (existsSync(path)) {
    // Only the mount point is left: it was killed between making the file and the mount.
    rmSync(path);
  }
  // `ip netns add` made this folder a mount of its own. While it has entries, this fails, as it should.
  if (existsSync(NAMESPACES) && readdirSync(NAMESPACES).length === 0) {
    await tryCommand(["sh", "-c", `umount ${NAMESPACES} 2>/dev/null; rmdir ${NAMESPACES}`]);
  }
}

export function networkExists(layout: ClusterLayout): boolean {
  return readMounts().some(({ path, type }) => path === namespacePath(layout) && type === "nsfs");
}

/** Every process whose network is the cluster's: also those that others run there with `enter`. */
export function processesInNetwork(layout: ClusterLayout): readonly number[] {
  if (!networkExists(layout)) return [];
  const wanted = `net:[${statSync(namespacePath(layout)).ino}]`;
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => namespaceOf(pid) === wanted)
    .map(Number);
}

/** True when the kernel sends bridged packets through iptables, as replies from a pod to its neighbour need it. */
export async function bridgesPassIptables(layout: ClusterLayout): Promise<boolean> {
  const file = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  return (await tryCommand([...layout.enter, "cat", file])).stdout.trim() === "1";
}

function namespacePath(layout: ClusterLayout): string {
  return join(NAMESPACES, layout.networkNamespace);
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
