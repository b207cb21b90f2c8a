import { ARGO_CD, ARGO_ROLLOUTS, ensureBinaries, FLAGGER, KUBERNETES_BINARIES } from "./binaries.ts";
import { down, status, up } from "./cluster.ts";

const USAGE = `usage:
  node test/cluster/main.mts build [rollouts-controller] [flagger] [argocd]   find or build the control plane's programs, and these
  node test/cluster/main.mts up NAME [--control-plane-only] [--kubectl PATH]
  node test/cluster/main.mts down NAME
  node test/cluster/main.mts status NAME                        exit code 0 when up, 1 otherwise
`;

async function main(args: readonly string[]): Promise<number> {
  const [command, name = "", ...flags] = args;
  if (command === "build") {
    const more = [name, ...flags];
    const peers = ([ARGO_ROLLOUTS, FLAGGER] as const).filter((each) => more.includes(each));
    const binaries = await ensureBinaries(["etcd", ...KUBERNETES_BINARIES, ...peers]);
    for (const [binary, path] of Object.entries(binaries)) console.log(`${binary.padEnd(24)} ${path}`);
    if (more.includes(ARGO_CD)) await buildArgoCd();
    return 0;
  }
  if (name === "") return usage();
  switch (command) {
    case "up":
      return upCommand(name, flags);
    case "down":
      await down(name);
      console.log(`cluster ${name} is gone`);
      return 0;
    case "status":
      return statusCommand(name);
    default:
      return usage();
  }
}

/** The tests that need it are skipped without it: that it cannot be had is told, and is no failure. */
async function buildArgoCd(): Promise<void> {
  try {
    const { argocd } = await ensureBinaries([ARGO_CD]);
    console.log(`${ARGO_CD.padEnd(24)} ${argocd}`);
  } catch (error) {
    console.log(`Argo CD cannot be built, so its tests will be skipped: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function usage(): number {
  process.stderr.write(USAGE);
  return 2;
}

async function upCommand(name: string, flags: readonly string[]): Promise<number> {
  const kubectlAt = flags.indexOf("--kubectl");
  const kubectlPath = kubectlAt === -1 ? undefined : flags[kubectlAt + 1];
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  process.once("SIGTERM", () => interrupted.abort(new Error("terminated")));
  const cluster = await up(name, {
    controlPlaneOnly: flags.includes("--control-plane-only"),
    ...(kubectlPath !== undefined && { kubectlPath }),
    signal: interrupted.signal,
  });
  console.log(`kubectl     ${kubectlPath ?? cluster.kubectl}`);
  console.log(`kubeconfig  ${cluster.kubeconfigPath}`);
  console.log(`audit log   ${cluster.auditLogPath}`);
  if (cluster.layout.enter.length > 0) console.log(`enter with  ${cluster.layout.enter.join(" ")} COMMAND`);
  return 0;
}

async function statusCommand(name: string): Promise<number> {
  const found = await status(name);
  console.log(`cluster ${name}: ${found.state}${found.kind === undefined ? "" : ` (${found.kind})`}`);
  for (const { name: process, pid, alive } of found.processes) {
    console.log(`  ${process.padEnd(24)} ${alive ? `pid ${pid}` : "not running"}`);
  }
  if (found.kind !== undefined)
    console.log(`  ${"API server".padEnd(24)} ${found.apiReady ? "ready" : "not ready"}`);
  if (found.nodeReady !== undefined)
    console.log(`  ${"node".padEnd(24)} ${found.nodeReady ? "ready" : "not ready"}`);
  return found.state === "up" ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
