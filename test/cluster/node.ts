import { mkdir, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ClusterLayout } from "./cluster-layout.ts";
import type { HostAbilities } from "./host-probes.ts";
import { findProgram } from "./run-command.ts";
import { PAUSE_IMAGE } from "./pause-image.ts";

export interface NodeFiles {
  readonly containerdConfig: string;
  readonly kubeletConfig: string;
  readonly mountScript: string;
  readonly pauseArchive: string;
  /** PATH of the node's processes. */
  readonly path: string;
}

/** Writes the configuration of containerd, the pod network and the kubelet. */
export async function writeNodeFiles(layout: ClusterLayout, host: HostAbilities): Promise<NodeFiles> {
  const at = (name: string): string => join(layout.dir, name);
  await Promise.all(
    ["cni", "bin", "kubelet", "pod-logs", "plugins", "sysctl"].map((name) =>
      mkdir(at(name), { recursive: true }),
    ),
  );
  await mkdir(layout.runDir, { recursive: true });
  const texts: Readonly<Record<string, string>> = {
    "containerd.toml": containerdConfig(layout, host),
    "cni/10-bridge.conflist": JSON.stringify(podNetwork(layout)),
    "kubelet.yaml": JSON.stringify(kubeletConfig(layout)),
    "resolv.conf": `nameserver ${layout.addresses.apiHost}\n`,
    "enter-mounts.sh": mountScript(layout),
  };
  await Promise.all(Object.entries(texts).map(([name, text]) => writeFile(at(name), text)));
  if (host.iptables !== "iptables") await linkIptables(at("bin"), host.iptables);
  return {
    containerdConfig: at("containerd.toml"),
    kubeletConfig: at("kubelet.yaml"),
    mountScript: at("enter-mounts.sh"),
    pauseArchive: at("pause.tar"),
    path: `${at("bin")}:${process.env["PATH"]}:/usr/local/sbin:/usr/sbin:/sbin`,
  };
}

export function containerdConfig(layout: ClusterLayout, host: HostAbilities): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  return `
version = 2
root = "${layout.dir}/containerd"
state = "${layout.runDir}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "${layout.containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${layout.dir}/opt"
[${cri}]
  sandbox_image = "${PAUSE_IMAGE}"
  # Without the right to lower its own score, containerd fails with "can't get final child's PID".
  restrict_oom_score_adj = true
  # Profiles cannot be loaded inside a container, and a test cluster needs none.
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [${cri}.cni]
    bin_dir = "${host.cniFolder}"
    conf_dir = "${layout.dir}/cni"
  [${cri}.containerd]
    snapshotter = "${host.snapshotter}"
`;
}

function podNetwork({ dir, addresses }: ClusterLayout): unknown {
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: true,
        // A pod may reach itself through its own Service.
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(dir, "ipam"),
          ranges: [[{ subnet: addresses.podCidr }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

export function kubeletConfig({ dir, cgroup, containerdSocket, files, addresses }: ClusterLayout): unknown {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: files.certificates.caCert },
    },
    authorization: { mode: "Webhook" },
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    // There is no DNS server: a look-up is refused at once instead of waiting.
    clusterDNS: [addresses.apiHost],
    clusterDomain: "cluster.local",
    resolvConf: join(dir, "resolv.conf"),
    podLogsDir: join(dir, "pod-logs"),
    volumePluginDir: join(dir, "plugins"),
    localStorageCapacityIsolation: false,
    // The disk is the machine's own and may be nearly full; images that were loaded cannot be pulled again.
    evictionHard: { "nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi" },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    serializeImagePulls: false,
  };
}

/** Kernel settings that the kubelet would write for the whole machine, with the values that it wants. */
const KUBELET_SYSCTLS: Readonly<Record<string, string>> = {
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/keys/root_maxbytes": "25000000",
};

/**
 * Runs a command in a private view of the file system, so that all the mounts vanish with its last process and fixed
 * paths of containerd and kubelet (/run/containerd, /var/lib/kubelet, /var/log/containers, /run/xtables.lock) are not
 * the machine's. The kubelet finds the kernel settings as it wants them, and leaves the real ones alone.
 */
function mountScript({ dir, runDir }: ClusterLayout): string {
  const settings = Object.entries(KUBELET_SYSCTLS).map(([name, value]) => {
    const file = `${dir}/sysctl/${name.replaceAll("/", ".")}`;
    return `echo ${value} >${file} && { [ ! -e /proc/sys/${name} ] || mount --bind ${file} /proc/sys/${name}; }`;
  });
  return `set -e
# An empty folder with only KEEP in it. The current folder stays reachable below the new mount.
hide() { # FOLDER KEEP
  cd "$2"
  mount -t tmpfs -o mode=755 tmpfs "$1"
  mkdir -p "$2"
  mount --no-canonicalize --bind /proc/self/cwd "$2"
  cd /
}
${settings.join("\n")}
mount -t tmpfs -o mode=755 tmpfs /var/log
hide /var/lib ${dir}
hide /run ${runDir}
exec "$@"
`;
}

async function linkIptables(folder: string, variant: string): Promise<void> {
  for (const suffix of ["", "-save", "-restore"]) {
    for (const family of ["iptables", "ip6tables"]) {
      const target = findProgram(`${variant.replace("iptables", family)}${suffix}`);
      const link = join(folder, `${family}${suffix}`);
      if (target !== undefined && !existsSync(link)) await symlink(target, link);
    }
  }
}
