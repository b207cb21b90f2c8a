import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { KubeClient } from "../kube/client.ts";
import { systemClock, type Clock } from "../kube/clock.ts";
import { loadCredentials, type ClusterCredentials } from "../kube/credentials.ts";
import { errorMessage } from "../kube/errors.ts";
import { createKubeClient } from "../kube/http-client.ts";
import { createTransport } from "../kube/transport.ts";
import { CliError } from "./errors.ts";

/** Where and as whom: the options that every command has, as in kubectl. */
export interface SessionOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
}

/** A cluster, seen with the user's own rights. */
export interface Session {
  readonly client: KubeClient;
  readonly server: string;
  readonly namespace: string;
  /** ` -n NAMESPACE` for printed commands, empty where the context says so already. */
  readonly namespaceFlag: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  close(): Promise<void>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Opens no connection: that is the first request's. Throws CliError where no kubeconfig can be read. */
export async function openSession(options: SessionOptions, env: Env, signal: AbortSignal): Promise<Session> {
  const clock = systemClock();
  const credentials = await credentialsOf(options, env, clock);
  const transport = createTransport({
    credentials,
    clock,
    random: Math.random,
    userAgent: "kubectl-rollback",
    maxConnections: 8,
    // A person waits: better an early answer than the patience of a controller.
    maxAttempts: 3,
  });
  const namespace = options.namespace ?? credentials.namespace ?? "default";
  return {
    client: createKubeClient({ transport, clock }),
    server: credentials.server,
    namespace,
    namespaceFlag: options.namespace === undefined ? "" : ` -n ${namespace}`,
    clock,
    random: Math.random,
    signal,
    close: () => transport.close(),
  };
}

async function credentialsOf(options: SessionOptions, env: Env, clock: Clock): Promise<ClusterCredentials> {
  const kubeconfig = kubeconfigOf(options.kubeconfig, env);
  try {
    return await loadCredentials({ kubeconfig, context: options.context, clock, env });
  } catch (error) {
    const words = errorMessage(error);
    const where = kubeconfig === undefined || words.includes(kubeconfig) ? "" : `kubeconfig ${kubeconfig}: `;
    throw new CliError(`${where}${words}; "kubectl config get-contexts" shows what there is`, {
      cause: error,
    });
  }
}

/** The kubeconfig by kubectl's rules; undefined in a pod that has none. Throws CliError when there is nothing. */
export function kubeconfigOf(
  named: string | undefined,
  env: Env,
  exists: (path: string) => boolean = existsSync,
): string | undefined {
  if (named !== undefined) {
    if (!exists(named)) throw new CliError(`kubeconfig ${named} does not exist: check --kubeconfig`);
    return named;
  }
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  // kubectl skips the files of the list that do not exist.
  const present = listed.filter(exists);
  if (present.length > 0) return present.join(delimiter);
  if (listed.length > 0) {
    throw new CliError(`no file of KUBECONFIG=${env["KUBECONFIG"]} exists: mend it, or give --kubeconfig`);
  }
  const home = join(env["HOME"] ?? homedir(), ".kube", "config");
  if (exists(home)) return home;
  if (env["KUBERNETES_SERVICE_HOST"] !== undefined) return undefined;
  throw new CliError(`no kubeconfig: ${home} does not exist; set KUBECONFIG or give --kubeconfig FILE`);
}
