import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Binaries, ensureBinaries } from "./binaries.ts";
import { type ChildProcesses, startChildren } from "./child-processes.ts";
import {
  type AdminAccess,
  type Addresses,
  apiServer,
  type ControlPlaneFiles,
  controllerManager,
  controlPlaneFiles,
  etcd,
  kubeconfig,
  writeControlPlaneFiles,
} from "./components.ts";
import { freePorts } from "./ports.ts";
import { formatIdentity, identify, isAlive, readPidFile } from "./processes.ts";
import { statusOf, waitForUnless } from "./readiness.ts";

export interface ControlPlaneOptions {
  /** Flags added to (and so overriding) ours. */
  readonly apiServerArgs?: readonly string[];
  readonly controllerManagerArgs?: readonly string[];
  /** False: only etcd and the API server, for tests that play the controllers themselves. */
  readonly controllerManager?: boolean;
  readonly signal?: AbortSignal;
}

/** A running etcd + kube-apiserver + kube-controller-manager; no node, so pods stay Pending. */
export interface ControlPlane extends AdminAccess {
  readonly kubeconfigPath: string;
  readonly auditLogPath: string;
  /** Temporary folder with all files, logs included. */
  readonly dir: string;
  /** Ids of the processes, by name. */
  readonly pids: Readonly<Record<string, number>>;
  /** The API server's process, for tests that put it out of action; etcd and everything stored stay. */
  readonly apiServer: ApiServerProcess;
  /** Ends the processes and removes `dir` (kept with KEEP_CLUSTER=1). May be called more than once. */
  stop(): Promise<void>;
}

export interface ApiServerProcess {
  /** Stops it in its tracks: connections stay open and new ones are accepted by the kernel, nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Ends it without a farewell; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts a killed one again at the same address; resolves when it is ready. */
  restart(): Promise<void>;
}

const FOLDER_PREFIX = "rollback-operator-test-";
const OWNER_FILE = "owner.pid";
const START_TIMEOUT_MS = 60_000;
const ATTEMPTS = 5;

/**
 * Controllers that a cluster without nodes is better off without. The first two would collect a simulated pod that
 * names a node as an orphan after 40 s; the others only cost start-up time and memory.
 */
const NOT_WITHOUT_NODES = [
  "pod-garbage-collector-controller",
  "node-lifecycle-controller",
  "taint-eviction-controller",
  "persistentvolume-attach-detach-controller",
  "persistentvolume-binder-controller",
  "persistentvolume-expander-controller",
  "persistentvolume-protection-controller",
  "ephemeral-volume-controller",
  "resourceclaim-controller",
  "volumeattributesclass-protection-controller",
];

/**
 * Starts a control plane on free ports of 127.0.0.1. Needs neither root nor a network namespace. The processes end
 * with `stop()` and also when this process dies.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await ensureBinaries(
    ["etcd", "kube-apiserver", "kube-controller-manager"],
    undefined,
    options.signal,
  );
  await removeFoldersOfTheDead();
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(binaries, options);
    } catch (error) {
      // Between our look for a free port and the server's bind, somebody else took it.
      const portLost = error instanceof Error && /address already in use/.test(error.message);
      if (!portLost || attempt === ATTEMPTS) throw error;
    }
  }
}

type NeededBinaries = Pick<Binaries, "etcd" | "kube-apiserver" | "kube-controller-manager">;

async function startOnce(binaries: NeededBinaries, options: ControlPlaneOptions): Promise<ControlPlane> {
  const dir = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
  const files = controlPlaneFiles(dir);
  const children = startChildren(dir);
  const stop = async (): Promise<void> => {
    await children.stop();
    if (process.env["KEEP_CLUSTER"] !== "1") await rm(dir, { recursive: true, force: true });
  };
  try {
    const self = identify(process.pid);
    if (self !== undefined) await writeFile(join(dir, OWNER_FILE), formatIdentity(self));
    const [apiPort = 0, etcdClientPort = 0, etcdPeerPort = 0] = await freePorts(3);
    const addresses: Addresses = {
      apiHost: "127.0.0.1",
      apiPort,
      etcdClientPort,
      etcdPeerPort,
      serviceCidr: "10.96.0.0/16",
      podCidr: "10.244.0.0/16",
    };
    const access = await writeControlPlaneFiles(files, addresses);
    await writeFile(files.kubeconfig, kubeconfig(access, access.adminToken), { mode: 0o600 });
    const start: Start = { binaries, files, addresses, access, children, options };
    await startAll(start);
    return {
      ...access,
      kubeconfigPath: files.kubeconfig,
      auditLogPath: files.auditLog,
      dir,
      get pids() {
        return children.pids();
      },
      apiServer: {
        freeze: () => children.signal("kube-apiserver", "SIGSTOP"),
        thaw: () => children.signal("kube-apiserver", "SIGCONT"),
        kill: () => children.kill("kube-apiserver"),
        restart: () => startApiServer(start),
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Start {
  readonly binaries: NeededBinaries;
  readonly files: ControlPlaneFiles;
  readonly addresses: Addresses;
  readonly access: AdminAccess;
  readonly children: ChildProcesses;
  readonly options: ControlPlaneOptions;
}

async function startAll(start: Start): Promise<void> {
  const { binaries, files, addresses, access, children, options } = start;
  const wait = (what: string, probe: () => Promise<boolean>): Promise<void> =>
    waitForUnless(children.failure, what, probe, {
      timeoutMs: START_TIMEOUT_MS,
      ...(options.signal && { signal: options.signal }),
    });
  const found = async (path: string): Promise<boolean> => (await statusOf(access, path)) === 200;

  // The API server tries until etcd answers: both may start at once.
  children.start("etcd", [binaries.etcd, ...etcd(files, addresses).args]);
  // The controller manager looks for a healthy API server once a second only: started earlier, it is ready later.
  await startApiServer(start);
  if (options.controllerManager !== false) {
    const extra = [
      `--controllers=*,-${NOT_WITHOUT_NODES.join(",-")}`,
      ...(options.controllerManagerArgs ?? []),
    ];
    children.start("kube-controller-manager", [
      binaries["kube-controller-manager"],
      ...controllerManager(files, addresses, extra).args,
    ]);
  }
  await wait("namespace default exists", () => found("/api/v1/namespaces/default"));
  if (options.controllerManager !== false) {
    // Pods are refused before it exists; it is the controller manager's first visible deed.
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    await wait("service account default exists", () => found(account));
  }
}

async function startApiServer(start: Start): Promise<void> {
  const { binaries, files, addresses, access, children, options } = start;
  const { args } = apiServer(files, addresses, options.apiServerArgs);
  children.start("kube-apiserver", [binaries["kube-apiserver"], ...args]);
  const isReady = async (): Promise<boolean> => (await statusOf(access, "/readyz")) === 200;
  await waitForUnless(children.failure, "kube-apiserver is ready", isReady, {
    timeoutMs: START_TIMEOUT_MS,
    ...(options.signal && { signal: options.signal }),
  });
}

/** Folders whose test process was killed: its children died with it, nobody removed the files. */
async function removeFoldersOfTheDead(): Promise<void> {
  if (process.env["KEEP_CLUSTER"] === "1") return;
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(FOLDER_PREFIX))) {
    const dir = join(tmpdir(), name);
    const owner = readPidFile(join(dir, OWNER_FILE));
    if (owner !== undefined && !isAlive(owner)) await rm(dir, { recursive: true, force: true });
  }
}
