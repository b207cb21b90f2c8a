import { delimiter } from "node:path";
import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Clock } from "./clock.ts";

/** How to reach one cluster as one identity. PEM text everywhere; TLS fields may change after a refresh. */
export interface ClusterCredentials {
  /** Base URL, possibly with a path, without a trailing slash. */
  readonly server: string;
  readonly caData?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
  /** Name to verify the server's certificate against, when it is not the host of `server`. */
  readonly tlsServerName?: string | undefined;
  readonly proxyUrl?: string | undefined;
  /** Namespace of the context, or of the pod. */
  readonly namespace?: string | undefined;
  /** Authentication headers, read again at most once a minute. Rejects when the source (file, plug-in) fails. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Reads the source again now: after a 401. */
  refresh(): Promise<void>;
}

export interface LoadCredentialsOptions {
  /** Path of a kubeconfig, or several joined as in $KUBECONFIG. Without it: the pod's service account. */
  readonly kubeconfig?: string | undefined;
  /** Context to use instead of the current one. */
  readonly context?: string | undefined;
  readonly clock: Pick<Clock, "monotonic">;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where the pod's token, CA and namespace are mounted. */
  readonly serviceAccountRoot?: string;
}

/** Credentials of the pod, or of a kubeconfig. Throws when files or environment are missing or malformed. */
export function loadCredentials(options: LoadCredentialsOptions): Promise<ClusterCredentials> {
  return options.kubeconfig === undefined
    ? loadInCluster(options)
    : loadKubeconfig(options.kubeconfig, options);
}

/** Credentials that never change: tests, and tools that hold a token. */
export function staticCredentials(fixed: {
  readonly server: string;
  readonly caData?: string;
  readonly token?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly insecureSkipTlsVerify?: boolean;
}): ClusterCredentials {
  const { token, ...rest } = fixed;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { ...rest, server: trimSlash(fixed.server), headers: async () => headers, refresh: async () => {} };
}

/** What a source yields on each reading. */
interface Reading {
  readonly headers: Readonly<Record<string, string>>;
  readonly caData?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly tlsServerName?: string | undefined;
}

const readAgainAfterMs = 60_000;

/** Wraps a source so that it is read at most once a minute, by one reader at a time. */
async function refreshing(
  fixed: {
    readonly server: string;
    readonly namespace?: string | undefined;
    readonly proxyUrl?: string | undefined;
  },
  clock: Pick<Clock, "monotonic">,
  read: (forced: boolean) => Promise<Reading>,
): Promise<ClusterCredentials> {
  let current = await read(false);
  let readAt = clock.monotonic();
  let reading: Promise<void> | undefined;
  async function readNow(forced: boolean): Promise<void> {
    try {
      current = await read(forced);
      readAt = clock.monotonic();
    } finally {
      reading = undefined;
    }
  }
  const refresh = (forced: boolean) => (reading ??= readNow(forced));
  return {
    ...fixed,
    get caData() {
      return current.caData;
    },
    get insecureSkipTlsVerify() {
      return current.insecureSkipTlsVerify;
    },
    get clientCert() {
      return current.clientCert;
    },
    get clientKey() {
      return current.clientKey;
    },
    get tlsServerName() {
      return current.tlsServerName;
    },
    async headers() {
      if (clock.monotonic() - readAt >= readAgainAfterMs) await refresh(false);
      return current.headers;
    },
    refresh: () => refresh(true),
  };
}

/** By hand and not through client-node: the operator's pod then never loads that library (about 9 MB). */
async function loadInCluster(options: LoadCredentialsOptions): Promise<ClusterCredentials> {
  const env = options.env ?? process.env;
  const root = options.serviceAccountRoot ?? "/var/run/secrets/kubernetes.io/serviceaccount";
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"];
  if (!host || !port) {
    throw new Error(
      "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; give a kubeconfig",
    );
  }
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const namespace = await readFile(`${root}/namespace`, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
  // The token is rotated by the kubelet about once an hour, the CA when the cluster's is.
  return refreshing({ server, namespace }, options.clock, async () => {
    const [token, caData] = await Promise.all([
      readFile(`${root}/token`, "utf8"),
      readFile(`${root}/ca.crt`, "utf8"),
    ]);
    return { headers: { authorization: `Bearer ${token.trim()}` }, caData };
  });
}

async function loadKubeconfig(paths: string, options: LoadCredentialsOptions): Promise<ClusterCredentials> {
  let config = await readKubeconfig(paths, options.context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`kubeconfig ${paths}: the current context names no cluster`);
  const fixed = {
    server: trimSlash(cluster.server),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    proxyUrl: cluster.proxyUrl,
  };
  return refreshing(fixed, options.clock, async (forced) => {
    // Exec plug-ins are cached inside a KubeConfig until their token expires; only a new one asks again.
    if (forced) config = await readKubeconfig(paths, options.context);
    return readAuthentication(config);
  });
}

async function readKubeconfig(paths: string, context: string | undefined): Promise<KubeConfig> {
  // The deep path keeps a bundle small, the dynamic import keeps it out of processes that do not need it.
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const [first = "", ...rest] = paths.split(delimiter).filter((path) => path !== "");
  const config = new KubeConfig();
  config.loadFromFile(first);
  for (const path of rest) {
    const next = new KubeConfig();
    next.loadFromFile(path);
    config.mergeConfig(next, true);
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw new Error(`kubeconfig ${paths} has no context "${context}"`);
    config.setCurrentContext(context);
  }
  return config;
}

async function readAuthentication(config: KubeConfig): Promise<Reading> {
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name.toLowerCase()] = String(value);
  if (typeof options.auth === "string") {
    headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  return {
    headers,
    caData: pem(options.ca),
    clientCert: pem(options.cert),
    clientKey: pem(options.key),
    tlsServerName: options.servername,
    insecureSkipTlsVerify: options.rejectUnauthorized === false,
  };
}

function pem(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return Buffer.isBuffer(value) ? value.toString("utf8") : undefined;
}

function trimSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
