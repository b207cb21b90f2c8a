import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { goBuild } from "./go-build.ts";
import { findGo } from "./go-toolchain.ts";
import { withLock } from "./lock.ts";
import { createProgress, type Progress } from "./progress.ts";
import { findProgram, isExecutable, tryCommand } from "./run-command.ts";

export const KUBERNETES_BINARIES = [
  "kube-apiserver",
  "kube-controller-manager",
  "kubectl",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
] as const;

/** One program with many roles: by the variable `ARGOCD_BINARY_NAME` it is the repo server or the controller. */
export const ARGO_CD = "argocd";
/** Its CRDs are read from there too. */
export const ARGO_CD_MODULE = "test/cluster/go/argocd";
export const ARGO_ROLLOUTS = "rollouts-controller";
export const FLAGGER = "flagger";

/** Those of a cluster. */
export type BinaryName = (typeof KUBERNETES_BINARIES)[number] | "etcd";
export type Binaries = Readonly<Record<BinaryName, string>>;
export type ProgramName = BinaryName | typeof ARGO_CD | typeof ARGO_ROLLOUTS | typeof FLAGGER;

interface GoModule {
  /** Folder of go.mod, relative to the repository's root. */
  readonly folder: string;
  readonly versionOf: string;
  readonly binaries: readonly ProgramName[];
  packageOf(binary: ProgramName): string;
  ldflags(version: string): string;
}

const MODULES: readonly GoModule[] = [
  {
    folder: "test/cluster/go/etcd",
    versionOf: "go.etcd.io/etcd/server/v3",
    binaries: ["etcd"],
    packageOf: () => "go.etcd.io/etcd/server/v3",
    ldflags: () => "-s -w",
  },
  {
    folder: "test/cluster/go/controlplane",
    versionOf: "k8s.io/kubernetes",
    binaries: KUBERNETES_BINARIES,
    packageOf: (binary) => `k8s.io/kubernetes/cmd/${binary}`,
    ldflags: kubernetesLdflags,
  },
  {
    folder: ARGO_CD_MODULE,
    versionOf: "github.com/argoproj/argo-cd/v3",
    binaries: [ARGO_CD],
    packageOf: () => "github.com/argoproj/argo-cd/v3/cmd",
    ldflags: (version) => `-s -w -X github.com/argoproj/argo-cd/v3/common.version=${version}`,
  },
  {
    folder: "test/cluster/go/argo-rollouts",
    versionOf: "github.com/argoproj/argo-rollouts",
    binaries: [ARGO_ROLLOUTS],
    packageOf: () => "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
    ldflags: () => "-s -w",
  },
  {
    folder: "test/cluster/go/flagger",
    versionOf: "github.com/fluxcd/flagger",
    binaries: [FLAGGER],
    packageOf: () => "github.com/fluxcd/flagger/cmd/flagger",
    ldflags: () => "-s -w",
  },
];

/**
 * Paths of the wanted programs. For each module the first of these that has all:
 *
 * 1. the folder `KUBEBUILDER_ASSETS`, 2. PATH: both only when every program there says the same version, of our major
 *    version and our minor or a newer one (a kubelet must not be newer than its API server, so they are never mixed);
 * 3. the cache `~/.cache/rollback-operator/bin/<hash of go.sum and version>`; 4. a build from source into that cache.
 */
export async function ensureBinaries<Name extends ProgramName>(
  wanted: readonly Name[],
  progress: Progress = createProgress(),
  signal?: AbortSignal,
): Promise<Readonly<Record<Name, string>>> {
  const found: Partial<Record<ProgramName, string>> = {};
  for (const module of MODULES) {
    const names = module.binaries.filter((name) => (wanted as readonly ProgramName[]).includes(name));
    if (names.length === 0) continue;
    Object.assign(
      found,
      (await findInstalled(module, names)) ?? (await fromCache(module, names, progress, signal)),
    );
  }
  return found as Record<Name, string>;
}

/** Where a program is, installed or built before; undefined when it would have to be built. */
export async function findBinary(name: ProgramName): Promise<string | undefined> {
  const module = MODULES.find(({ binaries }) => binaries.includes(name));
  if (module === undefined) return undefined;
  const found = await findInstalled(module, [name]);
  if (found !== undefined) return found[name];
  const path = join(cacheOf(module), name);
  return isExecutable(path) ? path : undefined;
}

/** The version that go.mod pins, without the leading "v". */
export function pinnedVersion(module: Pick<GoModule, "folder" | "versionOf">): string {
  const text = readFileSync(resolve(module.folder, "go.mod"), "utf8");
  const line = text.split("\n").find((candidate) => candidate.trim().startsWith(`${module.versionOf} v`));
  const version = line?.trim().split(" ")[1]?.slice(1);
  if (version === undefined) throw new Error(`${module.folder}/go.mod does not require ${module.versionOf}`);
  return version;
}

export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"] ?? "";
  return join(base === "" ? join(homedir(), ".cache") : base, "rollback-operator");
}

type Found = Partial<Record<ProgramName, string>>;

async function findInstalled(module: GoModule, names: readonly ProgramName[]): Promise<Found | undefined> {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  const sources = [
    (name: ProgramName): string | undefined =>
      assets !== undefined && isExecutable(join(assets, name)) ? resolve(assets, name) : undefined,
    (name: ProgramName): string | undefined => findProgram(name),
  ];
  for (const source of sources) {
    const paths = names.map((name) => source(name)).filter((path) => path !== undefined);
    if (paths.length === names.length && (await versionsFit(module, paths))) {
      return Object.fromEntries(names.map((name, index) => [name, paths[index]]));
    }
  }
  return undefined;
}

async function versionsFit(module: GoModule, paths: readonly string[]): Promise<boolean> {
  const versions = await Promise.all(paths.map(versionOf));
  const [major = 0, minor = 0] = (versions[0] ?? "0.0.0").split(".").map(Number);
  const [pinnedMajor = 0, pinnedMinor = 0] = pinnedVersion(module).split(".").map(Number);
  return new Set(versions).size === 1 && major === pinnedMajor && minor >= pinnedMinor;
}

async function versionOf(path: string): Promise<string | undefined> {
  const asksTheClient = path.endsWith("/kubectl") || path.endsWith(`/${ARGO_CD}`);
  const command = asksTheClient ? [path, "version", "--client"] : [path, "--version"];
  const { stdout } = await tryCommand(command, { timeoutMs: 20_000 });
  return /(?:Kubernetes |etcd Version: |Client Version: |argocd: )v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

async function fromCache(
  module: GoModule,
  names: readonly ProgramName[],
  progress: Progress,
  signal?: AbortSignal,
): Promise<Found> {
  const version = pinnedVersion(module);
  const folder = cacheOf(module);
  const paths = Object.fromEntries(names.map((name) => [name, join(folder, name)]));
  if (names.every((name) => isExecutable(join(folder, name)))) return paths;

  const onWait = (): void => progress.done(`waiting: another process is building into ${folder}`);
  const build = async (): Promise<void> => {
    // Looked at again: whoever held the lock has probably built them.
    const missing = names.filter((name) => !isExecutable(join(folder, name)));
    if (missing.length === 0) return;
    const go = await findGo(cacheFolder(), progress);
    for (const [index, name] of missing.entries()) {
      await goBuild(
        {
          go,
          moduleFolder: resolve(module.folder),
          package: module.packageOf(name),
          ldflags: module.ldflags(version),
          output: join(folder, name),
          label: `building ${name} ${version} (${index + 1} of ${missing.length})`,
        },
        progress,
        signal,
      );
    }
  };
  await withLock(`build/${folder}`, onWait, build, signal);
  return paths;
}

/** Where the builds of a module are kept: another go.sum or version has another folder. */
function cacheOf(module: GoModule): string {
  const goSum = readFileSync(resolve(module.folder, "go.sum"));
  const key = createHash("sha256").update(goSum).update(pinnedVersion(module)).digest("hex").slice(0, 12);
  return join(cacheFolder(), "bin", key);
}

function kubernetesLdflags(version: string): string {
  // Without these the server calls itself v0.0.0 and clients that look at its version refuse it.
  const [major, minor] = version.split(".");
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  const settings = Object.entries(values).map(
    ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
  );
  return `-s -w ${settings.join(" ")}`;
}
