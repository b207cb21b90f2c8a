import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { ARGO_CD, ARGO_CD_MODULE, ensureBinaries } from "../cluster/binaries.ts";
import { startChildren, type ChildProcesses } from "../cluster/child-processes.ts";
import { kubeconfig } from "../cluster/components.ts";
import { goModuleFolder } from "../cluster/go-module.ts";
import { freePorts } from "../cluster/ports.ts";
import { waitForUnless } from "../cluster/readiness.ts";
import { findProgram } from "../cluster/run-command.ts";
import { createRepository, gitDaemonCommand, gitEnvironment, type GitRepository } from "./git-server.ts";
import { until, type World } from "./world.ts";

/** Where Argo CD and its Applications are. */
export const ARGO_CD_NAMESPACE = "argocd";
/** Who writes what it syncs: its own ServiceAccount, with all rights, as its installation manifests have it. */
export const ARGO_CD_ACCOUNT = `system:serviceaccount:${ARGO_CD_NAMESPACE}:argocd-application-controller`;

/** As much of an Application as tests look at. */
export interface Application extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly sync?: { readonly status?: "Synced" | "OutOfSync" | "Unknown"; readonly revision?: string };
    readonly health?: { readonly status?: string };
    readonly operationState?: {
      readonly phase?: string;
      readonly message?: string;
      readonly syncResult?: { readonly revision?: string };
    };
    readonly conditions?: readonly { readonly type: string; readonly message: string }[];
    readonly resources?: readonly ApplicationResource[];
  };
}

export interface ApplicationResource {
  readonly group?: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly status?: string;
  readonly health?: { readonly status?: string; readonly message?: string };
}

export const APPLICATIONS = defineResource<Application>({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  plural: "applications",
  namespaced: true,
});

export interface ApplicationOptions {
  readonly name: string;
  /** Namespace that it is synced into; it must be there. */
  readonly into: string;
  /** Folder of the repository; the whole of it by default. */
  readonly path?: string;
  /** `spec.syncPolicy.automated`; undefined: people sync. */
  readonly automated?: { readonly selfHeal?: boolean; readonly prune?: boolean; readonly enabled?: boolean };
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A real Argo CD (repo server and application controller, no API server) with one repository, on a world's cluster. */
export interface ArgoCd {
  readonly repository: GitRepository;
  readonly repositoryUrl: string;
  /** Makes an Application of the repository's branch main. */
  create(options: ApplicationOptions): Promise<Application>;
  application(name: string): Promise<Application>;
  /** Has it look at Git and at the live objects now, not at the next interval. */
  refresh(name: string): Promise<void>;
  /** Once Git at this commit is what is live. */
  synced(name: string, revision: string): Promise<Application>;
  /** Once something live is not as Git has it. */
  outOfSync(name: string): Promise<Application>;
  /** Once it shows what the condition asks for. */
  shows(name: string, what: string, condition: (application: Application) => boolean): Promise<Application>;
  /** One of its objects as it shows it. */
  resource(name: string, kind: string, resource: string): Promise<ApplicationResource | undefined>;
  /** Ends its processes and removes its files; the objects go with the world. */
  stop(): Promise<void>;
}

export interface ArgoCdOptions {
  /** More of ConfigMap argocd-cm. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** What people write on an Application to have it compared at once. */
const REFRESH = "argocd.argoproj.io/refresh";
const REPOSITORY = "repository";
const START_TIMEOUT_MS = 60_000;
/** Generous: other tests use the machine too. */
const PATIENCE_MS = 60_000;
const CRDS = ["application", "applicationset", "appproject"];

type Cluster = Pick<World, "controlPlane" | "kubectl" | "client">;

/** Needs what `lacksOfArgoCd` asks about. Throws with the end of the log of a process that ends. */
export async function startArgoCd(world: Cluster, options: ArgoCdOptions = {}): Promise<ArgoCd> {
  const dir = await mkdtemp(join(tmpdir(), "rollback-operator-argo-cd-"));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    const repository = await createRepository(dir, REPOSITORY);
    await install(world, options);
    const { children, gitPort } = await startOnFreePorts(world, dir);
    return {
      ...lab(world, repository, `git://127.0.0.1:${gitPort}/${REPOSITORY}`),
      async stop() {
        await children.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

const ATTEMPTS = 3;

async function startOnFreePorts(world: Cluster, dir: string) {
  for (let attempt = 1; ; attempt += 1) {
    const children = startChildren(dir);
    try {
      return { children, ...(await startProcesses(world, dir, children)) };
    } catch (error) {
      await children.stop();
      // Between our look for a free port and the server's bind, somebody else took it.
      const portLost = error instanceof Error && /address already in use/i.test(error.message);
      if (!portLost || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The kinds of Argo CD in the version of its module, without Argo CD. */
export async function installArgoCdCrds(kubectl: World["kubectl"]): Promise<void> {
  const folder = await goModuleFolder("github.com/argoproj/argo-cd/v3", ARGO_CD_MODULE);
  const files = CRDS.flatMap((kind) => ["-f", join(folder, "manifests/crds", `${kind}-crd.yaml`)]);
  // Longer than what an annotation of kubectl's can hold.
  await kubectl(["apply", "--server-side", ...files]);
  // A CRD that has no conditions yet is an error to kubectl, not one to wait for.
  await until(
    "the kinds of Argo CD are established",
    () => kubectl.attempt(["wait", "--for=condition=Established", "--timeout=5s", ...files]),
    ({ code }) => code === 0,
    PATIENCE_MS,
  );
}

async function install({ kubectl, controlPlane }: Cluster, { settings }: ArgoCdOptions): Promise<void> {
  await installArgoCdCrds(kubectl);
  await kubectl(["create", "namespace", ARGO_CD_NAMESPACE]);
  const name = "argocd-application-controller";
  await kubectl(["create", "serviceaccount", name, "-n", ARGO_CD_NAMESPACE]);
  await kubectl([
    "create",
    "clusterrolebinding",
    name,
    "--clusterrole=cluster-admin",
    `--serviceaccount=${ARGO_CD_NAMESPACE}:${name}`,
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
  const account = ["argocd-application-controller", "-n", ARGO_CD_NAMESPACE];
  return (await kubectl(["create", "token", ...account, "--duration=24h"])).trim();
}

/** Redis, the Git daemon, the repo server and the application controller, all on 127.0.0.1; until they answer. */
async function startProcesses({ controlPlane, kubectl }: Cluster, dir: string, children: ChildProcesses) {
  const { argocd } = await ensureBinaries([ARGO_CD]);
  const redis = findProgram("redis-server");
  if (redis === undefined) throw new Error("redis-server is not installed: apt-get install redis-server");
  const [redisPort = 0, gitPort = 0, repoServer = 0, repoMetrics = 0, metrics = 0] = await freePorts(5);
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
  children.start("git-daemon", await gitDaemonCommand(dir, gitPort));
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
  children.start("argocd-application-controller", [
    ...role("argocd-application-controller"),
    `--kubeconfig=${config}`,
    `--namespace=${ARGO_CD_NAMESPACE}`,
    `--repo-server=127.0.0.1:${repoServer}`,
    "--repo-server-plaintext",
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
  return { gitPort };
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

function lab(
  { client, controlPlane }: Cluster,
  repository: GitRepository,
  repositoryUrl: string,
): Omit<ArgoCd, "stop"> {
  const { signal } = new AbortController();
  const key = (name: string) => ({ namespace: ARGO_CD_NAMESPACE, name });
  const application = (name: string) => client.get(APPLICATIONS, key(name), { signal });
  const shows: ArgoCd["shows"] = (name, what, condition) =>
    until(`Application ${name} ${what}`, () => application(name), condition, PATIENCE_MS);
  const refresh = async (name: string) => {
    const annotations = { [REFRESH]: "normal" };
    await client.patch(APPLICATIONS, key(name), mergePatch({ metadata: { annotations } }), { signal });
  };
  return {
    repository,
    repositoryUrl,
    application,
    refresh,
    shows,
    create: ({ name, into, path = ".", automated, labels = {}, annotations = {} }) =>
      client.create(
        APPLICATIONS,
        {
          metadata: { ...key(name), labels, annotations },
          spec: {
            project: "default",
            source: { repoURL: repositoryUrl, path, targetRevision: "main" },
            destination: { server: controlPlane.server, namespace: into },
            // It would try a sync that failed five times more, and look at no newer commit meanwhile.
            ...(automated === undefined ? {} : { syncPolicy: { automated, retry: { limit: 0 } } }),
          },
        },
        { signal },
      ),
    async synced(name, revision) {
      await refresh(name);
      return shows(
        name,
        `is synced to ${revision}`,
        ({ status, metadata }) =>
          metadata.annotations?.[REFRESH] === undefined &&
          status?.sync?.status === "Synced" &&
          status.sync.revision === revision &&
          status.operationState?.phase !== "Running",
      );
    },
    async outOfSync(name) {
      await refresh(name);
      return shows(name, "is out of sync", ({ status }) => status?.sync?.status === "OutOfSync");
    },
    async resource(name, kind, resource) {
      const { status } = await application(name);
      return status?.resources?.find((each) => each.kind === kind && each.name === resource);
    },
  };
}
