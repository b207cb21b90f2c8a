import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ARGO_CD, ARGO_CD_MODULE, ensureBinaries } from "../cluster/binaries.ts";
import type { ChildProcesses } from "../cluster/child-processes.ts";
import { kubeconfig } from "../cluster/components.ts";
import { goModuleFolder } from "../cluster/go-module.ts";
import { freePorts } from "../cluster/ports.ts";
import { waitForUnless } from "../cluster/readiness.ts";
import { findProgram } from "../cluster/run-command.ts";
import { gitDaemonCommand, gitEnvironment } from "./git-server.ts";
import { awaitEstablished } from "./established.ts";
import type { World } from "./world.ts";

/** Where Argo CD and its Applications are. */
export const ARGO_CD_NAMESPACE = "argocd";
const ACCOUNT = "argocd-application-controller";
/** Who writes what it syncs: its own ServiceAccount, with all rights, as its installation manifests have it. */
export const ARGO_CD_ACCOUNT = `system:serviceaccount:${ARGO_CD_NAMESPACE}:${ACCOUNT}`;

export interface ArgoCdOptions {
  /** True: its API server too, which runs actions for people; everybody who reaches it is its administrator. */
  readonly apiServer?: boolean;
  /** More of ConfigMap argocd-cm. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Ports of 127.0.0.1. */
export interface ArgoCdPorts {
  readonly git: number;
  readonly api?: number;
}

export type ArgoCdCluster = Pick<World, "controlPlane" | "kubectl" | "client">;

const START_TIMEOUT_MS = 60_000;
const CRDS = ["application", "applicationset", "appproject"];

/** The kinds of Argo CD in the version of its module, without Argo CD. */
export async function installArgoCdCrds(kubectl: World["kubectl"]): Promise<void> {
  const folder = await goModuleFolder("github.com/argoproj/argo-cd/v3", ARGO_CD_MODULE);
  const files = CRDS.flatMap((kind) => ["-f", join(folder, "manifests/crds", `${kind}-crd.yaml`)]);
  // Longer than what an annotation of kubectl's can hold.
  await kubectl(["apply", "--server-side", ...files]);
  await awaitEstablished(kubectl, files);
}

/** Its kinds, settings and account; nothing runs yet. */
export async function installArgoCd(
  { kubectl, controlPlane }: ArgoCdCluster,
  { settings }: ArgoCdOptions,
): Promise<void> {
  await installArgoCdCrds(kubectl);
  await kubectl(["create", "namespace", ARGO_CD_NAMESPACE]);
  await kubectl(["create", "serviceaccount", ACCOUNT, "-n", ARGO_CD_NAMESPACE]);
  await kubectl([
    "create",
    "clusterrolebinding",
    ACCOUNT,
    "--clusterrole=cluster-admin",
    `--serviceaccount=${ARGO_CD_NAMESPACE}:${ACCOUNT}`,
  ]);
  const token = await tokenOf(kubectl);
  const labels = { "app.kubernetes.io/part-of": "argocd" };
  const { server, caData } = controlPlane;
  const tlsClientConfig = { caData: Buffer.from(caData).toString("base64") };
  const objects = [
    { kind: "ConfigMap", metadata: { name: "argocd-cm", labels }, data: settings ?? {} },
    { kind: "ConfigMap", metadata: { name: "argocd-rbac-cm", labels } },
    {
      kind: "Secret",
      metadata: { name: "argocd-secret", labels },
      stringData: { "server.secretkey": token.slice(-32), "admin.password": "" },
    },
    {
      kind: "Secret",
      metadata: { name: "cluster", labels: { "argocd.argoproj.io/secret-type": "cluster" } },
      stringData: {
        name: "test",
        server,
        config: JSON.stringify({ bearerToken: token, tlsClientConfig }),
      },
    },
  ].map((object) => ({ apiVersion: "v1", ...object }));
  const project = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "AppProject",
    metadata: { name: "default" },
    spec: {
      sourceRepos: ["*"],
      destinations: [{ server: "*", namespace: "*" }],
      clusterResourceWhitelist: [{ group: "*", kind: "*" }],
    },
  };
  const all = [...objects, project].map((object) => JSON.stringify(object)).join("\n---\n");
  await kubectl(["apply", "-n", ARGO_CD_NAMESPACE, "-f", "-"], all);
}

async function tokenOf(kubectl: World["kubectl"]): Promise<string> {
  return (await kubectl(["create", "token", ACCOUNT, "-n", ARGO_CD_NAMESPACE, "--duration=24h"])).trim();
}

/** Redis, the Git daemon, the repo server and the application controller, all on 127.0.0.1; until they answer. */
export async function startArgoCdProcesses(
  { controlPlane, kubectl }: ArgoCdCluster,
  dir: string,
  children: ChildProcesses,
  options: ArgoCdOptions,
): Promise<ArgoCdPorts> {
  const { argocd } = await ensureBinaries([ARGO_CD]);
  const redis = findProgram("redis-server");
  if (redis === undefined) throw new Error("redis-server is not installed: apt-get install redis-server");
  const [redisPort = 0, git = 0, repoServer = 0, repoMetrics = 0, metrics = 0, api = 0, apiMetrics = 0] =
    await freePorts(7);
  const config = join(dir, "kubeconfig");
  await writeFile(config, kubeconfig(controlPlane, await tokenOf(kubectl)), { mode: 0o600 });

  children.start("redis", [
    redis,
    "--port",
    `${redisPort}`,
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--dir",
    dir,
  ]);
  children.start("git-daemon", await gitDaemonCommand(dir, git));
  const role = (name: string) => [
    "env",
    ...Object.entries({ ...gitEnvironment(dir), ...folders(dir) }).map(([key, value]) => `${key}=${value}`),
    `ARGOCD_BINARY_NAME=${name}`,
    argocd,
    `--redis=127.0.0.1:${redisPort}`,
  ];
  children.start("argocd-repo-server", [
    ...role("argocd-repo-server"),
    "--disable-tls",
    "--address=127.0.0.1",
    `--port=${repoServer}`,
    "--metrics-address=127.0.0.1",
    `--metrics-port=${repoMetrics}`,
  ]);
  const cluster = [
    `--kubeconfig=${config}`,
    `--namespace=${ARGO_CD_NAMESPACE}`,
    `--repo-server=127.0.0.1:${repoServer}`,
    "--repo-server-plaintext",
  ];
  children.start("argocd-application-controller", [
    ...role("argocd-application-controller"),
    ...cluster,
    `--metrics-port=${metrics}`,
    // Fast enough for tests; everything else as it comes.
    "--app-resync=10",
    "--app-resync-jitter=0",
    // As often as a test likes: its own backoff would make each further self-heal wait longer.
    "--self-heal-timeout-seconds=2",
    "--self-heal-backoff-timeout-seconds=0",
    "--persist-resource-health",
  ]);
  const answers = (port: number) => () =>
    fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  const wait = { timeoutMs: START_TIMEOUT_MS };
  await waitForUnless(children.failure, "Argo CD's repo server is ready", answers(repoMetrics), wait);
  await waitForUnless(children.failure, "Argo CD's controller is ready", answers(metrics), wait);
  if (options.apiServer !== true) return { git };
  children.start("argocd-server", [
    ...role("argocd-server"),
    ...cluster,
    "--insecure",
    "--disable-auth",
    "--address=127.0.0.1",
    `--port=${api}`,
    "--metrics-address=127.0.0.1",
    `--metrics-port=${apiMetrics}`,
  ]);
  await waitForUnless(children.failure, "Argo CD's API server is ready", answers(api), wait);
  return { git, api };
}

/** So that it neither reads nor leaves anything outside of its own folder. */
function folders(dir: string): Readonly<Record<string, string>> {
  return {
    TMPDIR: dir,
    ARGOCD_TLS_DATA_PATH: join(dir, "tls"),
    ARGOCD_SSH_DATA_PATH: join(dir, "ssh"),
    ARGOCD_PLUGINSOCKFILEPATH: join(dir, "plugins"),
    ARGOCD_GPG_ENABLED: "false",
  };
}
