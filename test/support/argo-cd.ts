import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GROUP, VERSION } from "../../src/crds/common.ts";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { startChildren } from "../cluster/child-processes.ts";
import {
  ARGO_CD_NAMESPACE,
  installArgoCd,
  startArgoCdProcesses,
  type ArgoCdCluster,
  type ArgoCdOptions,
  type ArgoCdPorts,
} from "./argo-cd-install.ts";
import { createRepository, type GitRepository } from "./git-server.ts";
import { until } from "./world.ts";

export { ARGO_CD_ACCOUNT, ARGO_CD_NAMESPACE, installArgoCdCrds } from "./argo-cd-install.ts";

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

/** A real Argo CD (repo server, application controller, on demand its API server) with one repository, on a world's cluster. */
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
  /**
   * Runs one of its actions on one of an Application's objects, as a button of its web interface does; with the answer of
   * its API server. Needs the option `apiServer`.
   */
  act(action: ActionRun): Promise<{ readonly ok: boolean; readonly text: string }>;
  /** One of its objects as it shows it. */
  resource(name: string, kind: string, resource: string): Promise<ApplicationResource | undefined>;
  /** Ends its processes and removes its files; the objects go with the world. */
  stop(): Promise<void>;
}

export interface ActionRun {
  readonly application: string;
  readonly namespace: string;
  /** Of group rollback.llm-research-lab.io. */
  readonly kind: string;
  readonly name: string;
  readonly action: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

/** What people write on an Application to have it compared at once. */
const REFRESH = "argocd.argoproj.io/refresh";
const REPOSITORY = "repository";
/** Generous: other tests use the machine too. */
const PATIENCE_MS = 60_000;

/** Needs what `lacksOfArgoCd` asks about. Throws with the end of the log of a process that ends. */
export async function startArgoCd(world: ArgoCdCluster, options: ArgoCdOptions = {}): Promise<ArgoCd> {
  const dir = await mkdtemp(join(tmpdir(), "rollback-operator-argo-cd-"));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    const repository = await createRepository(dir, REPOSITORY);
    await installArgoCd(world, options);
    const { children, ports } = await startOnFreePorts(world, dir, options);
    return {
      ...lab(world, repository, ports),
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

async function startOnFreePorts(world: ArgoCdCluster, dir: string, options: ArgoCdOptions) {
  for (let attempt = 1; ; attempt += 1) {
    const children = startChildren(dir);
    try {
      return { children, ports: await startArgoCdProcesses(world, dir, children, options) };
    } catch (error) {
      await children.stop();
      // Between our look for a free port and the server's bind, somebody else took it.
      const portLost = error instanceof Error && /address already in use/i.test(error.message);
      if (!portLost || attempt === ATTEMPTS) throw error;
    }
  }
}

function lab(
  { client, controlPlane }: ArgoCdCluster,
  repository: GitRepository,
  ports: ArgoCdPorts,
): Omit<ArgoCd, "stop"> {
  const { signal } = new AbortController();
  const repositoryUrl = `git://127.0.0.1:${ports.git}/${REPOSITORY}`;
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
    async act({ application: app, namespace, kind, name, action, parameters = {} }) {
      if (ports.api === undefined) throw new Error("Argo CD was started without its API server");
      const response = await fetch(
        `http://127.0.0.1:${ports.api}/api/v1/applications/${app}/resource/actions/v2`,
        {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            name: app,
            namespace,
            resourceName: name,
            version: VERSION,
            group: GROUP,
            kind,
            action,
            resourceActionParameters: Object.entries(parameters).map(([key, value]) => ({
              name: key,
              value,
            })),
          }),
          signal: AbortSignal.timeout(30_000),
        },
      );
      return { ok: response.ok, text: await response.text() };
    },
    async resource(name, kind, resource) {
      const { status } = await application(name);
      return status?.resources?.find((each) => each.kind === kind && each.name === resource);
    },
  };
}

/** A Deployment `web` as it lies in Git. */
export function webManifest(image: string): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image }] },
      },
    },
  });
}
