import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { waitFor } from "../cluster/readiness.ts";
import type { Kubectl } from "./kubectl.ts";
import { awaitEstablished } from "./established.ts";

export interface OperatorProcess {
  readonly pid: number;
  readonly url: string;
  readonly logPath: string;
  /** Path of the configuration file that it follows. */
  readonly configPath: string;
  /** The exit code once it has ended; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** SIGTERM, and SIGKILL when that does not end it. Resolves with the exit code. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

export interface OperatorProcessOptions {
  readonly server: string;
  readonly caData: string;
  /** Token of the operator's own ServiceAccount, never an administrator's. */
  readonly token: string;
  readonly dir: string;
  readonly name?: string;
  /** YAML of the admin's configuration file. */
  readonly config?: string;
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Another program than bin/rollback-operator that takes the same arguments. */
  readonly program?: readonly string[];
  /** True: reads the files of a pod's ServiceAccount instead of a kubeconfig (needs root). */
  readonly inCluster?: boolean;
  /** Wait for /readyz; true by default. */
  readonly awaitReady?: boolean;
}

/** Election fast enough for tests; everything else as in production. */
export const FAST_ELECTION = "leaderElection: {leaseDuration: 6s, renewDeadline: 5s, retryPeriod: 250ms}\n";

/** Installs CRDs and manifests from deploy/ and gives a token of the operator's own ServiceAccount. */
export async function installOperator(
  kubectl: Kubectl,
  manifests = "deploy/manifests/rights",
): Promise<string> {
  await kubectl(["apply", "-f", "deploy/crds"]);
  await awaitEstablished(kubectl, ["-f", "deploy/crds"]);
  await kubectl(["apply", "-k", manifests]);
  return (
    await kubectl(["create", "token", "rollback-operator", "-n", "rollback-system", "--duration=24h"])
  ).trim();
}

/** Runs bin/rollback-operator as a process of its own and waits until it is ready. */
export async function startOperator(options: OperatorProcessOptions): Promise<OperatorProcess> {
  const name = options.name ?? "operator";
  await mkdir(options.dir, { recursive: true });
  const kubeconfig = join(options.dir, `${name}.kubeconfig`);
  const config = join(options.dir, `${name}.yaml`);
  const logPath = join(options.dir, `${name}.log`);
  await writeFile(kubeconfig, kubeconfigText(options), { mode: 0o600 });
  await writeFile(config, options.config ?? FAST_ELECTION);
  const pod = options.inCluster === true ? await podSurroundings(options, name) : undefined;
  const command = [
    ...(options.prefix ?? []),
    ...(pod?.prefix ?? []),
    "setpriv",
    "--pdeathsig",
    "KILL",
    ...(options.program ?? ["bin/rollback-operator"]),
    "controller",
    ...(pod === undefined ? ["--kubeconfig", kubeconfig] : []),
    "--config",
    config,
    // A port that the kernel picks: a free one that is looked up first may be taken by the time it is used.
    "--listen",
    "127.0.0.1:0",
  ];
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env, ...pod?.env },
  });
  const log = createWriteStream(logPath, { flags: "a" });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const listen = await listenAddress(child, logPath);
  const started: OperatorProcess = {
    pid: child.pid ?? 0,
    url: `http://${listen}`,
    logPath,
    configPath: config,
    ended,
    stop: () => end(child, ended),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
  if (options.awaitReady !== false) await awaitReady(started, child);
  return started;
}

const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What a process finds in a pod, in a mount namespace of its own. */
async function podSurroundings({ dir, server, caData, token }: OperatorProcessOptions, name: string) {
  const folder = resolve(dir, `${name}.serviceaccount`);
  await mkdir(folder, { recursive: true });
  await mkdir(SERVICE_ACCOUNT_FOLDER, { recursive: true });
  const files = { token, "ca.crt": caData, namespace: "rollback-system" };
  for (const [file, content] of Object.entries(files)) {
    await writeFile(join(folder, file), content, { mode: 0o600 });
  }
  const { hostname, port } = new URL(server);
  const mount = `mount --bind "$1" ${SERVICE_ACCOUNT_FOLDER} && shift && exec "$@"`;
  return {
    prefix: ["unshare", "--mount", "sh", "-c", mount, "sh", folder],
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
  };
}

/** The address in the operator's own first line; rejects when it ends, or says nothing for long. */
async function listenAddress(child: ChildProcess, logPath: string): Promise<string> {
  let output = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onData = (chunk: Buffer) => {
    output += chunk.toString("utf8");
    const listen = /"listen":"([^"]+)"/.exec(output)?.[1];
    if (listen !== undefined) resolve(listen);
  };
  const onExit = () => reject(new Error(`the operator ended with ${child.exitCode}, see ${logPath}`));
  const silence = setTimeout(() => reject(new Error(`the operator does not start, see ${logPath}`)), 20_000);
  child.stdout?.on("data", onData);
  child.once("exit", onExit);
  try {
    return await promise;
  } finally {
    clearTimeout(silence);
    child.stdout?.off("data", onData);
    child.off("exit", onExit);
  }
}

async function awaitReady(operator: OperatorProcess, child: ChildProcess): Promise<void> {
  await waitFor(
    `operator ready at ${operator.url}, see ${operator.logPath}`,
    async () => {
      if (child.exitCode !== null)
        throw new Error(`the operator ended with ${child.exitCode}, see ${operator.logPath}`);
      return (await probe(`${operator.url}/readyz`)) === 200;
    },
    { timeoutMs: 20_000, intervalMs: 25 },
  );
}

async function probe(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url)).status;
  } catch {
    return undefined;
  }
}

async function end(child: ChildProcess, ended: Promise<number | null>): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return ended;
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), 12_000);
  const code = await ended;
  clearTimeout(force);
  return code;
}

function kubeconfigText({ server, caData, token }: OperatorProcessOptions): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "c",
        cluster: { server, "certificate-authority-data": Buffer.from(caData).toString("base64") },
      },
    ],
    users: [{ name: "operator", user: { token } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "operator" } }],
    "current-context": "c",
  });
}
