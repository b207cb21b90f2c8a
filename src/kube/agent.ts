import { createSecureContext } from "node:tls";
import { Agent, ProxyAgent, type Dispatcher } from "undici";
import type { ClusterCredentials } from "./credentials.ts";

export interface AgentOptions {
  /** Connections to the API server at most; undefined: no limit. */
  readonly maxConnections: number | undefined;
}

/** One pool for one cluster, made again only when the TLS identity changes. */
export interface AgentSource {
  /** The agent for the credentials as they are now. */
  current(): Dispatcher;
  close(): Promise<void>;
}

/** Keeps the agent of a cluster; an agent that was replaced ends when its last request has. */
export function createAgentSource(credentials: ClusterCredentials, options: AgentOptions): AgentSource {
  let identity = tlsIdentity(credentials);
  let agent = createAgent(credentials, options);
  const retired = new Set<Dispatcher>();
  return {
    current() {
      const now = tlsIdentity(credentials);
      if (now !== identity) {
        const old = agent;
        identity = now;
        agent = createAgent(credentials, options);
        retired.add(old);
        void old.close().finally(() => retired.delete(old));
      }
      return agent;
    },
    async close() {
      await Promise.all([agent, ...retired].map((each) => each.destroy()));
    },
  };
}

function createAgent(credentials: ClusterCredentials, options: AgentOptions): Dispatcher {
  const tls = {
    ...(credentials.caData === undefined ? {} : { ca: credentials.caData }),
    ...(credentials.clientCert === undefined ? {} : { cert: credentials.clientCert }),
    ...(credentials.clientKey === undefined ? {} : { key: credentials.clientKey }),
    ...(credentials.tlsServerName === undefined ? {} : { servername: credentials.tlsServerName }),
    rejectUnauthorized: credentials.insecureSkipTlsVerify !== true,
  };
  const pool = {
    // HTTP/1.1: a watch that stalls then stalls alone, and repeated headers (Impersonate-Group) go out as such.
    allowH2: false,
    pipelining: 1,
    connections: options.maxConnections ?? null,
    keepAliveTimeout: 30_000,
    // Deadlines are the transport's; these two are set for each request.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (credentials.proxyUrl !== undefined) {
    if (!/^https?:/.test(credentials.proxyUrl)) {
      throw new Error(`proxy-url ${credentials.proxyUrl}: only http and https proxies are supported`);
    }
    // To the proxy too: the bundle holds no HTTP/2.
    return new ProxyAgent({
      ...pool,
      uri: credentials.proxyUrl,
      requestTls: tls,
      proxyTls: { allowH2: false },
    });
  }
  // TCP keep-alive finds a dead peer for connections that wait for an answer.
  const keepAlive = { timeout: 5_000, keepAlive: true, keepAliveInitialDelay: 15_000 };
  // One for all connections: left to itself, Node makes one for each, with the certificates parsed anew.
  const connect = { ...tls, secureContext: createSecureContext(tls), ...keepAlive };
  return new Agent({ ...pool, connect });
}

function tlsIdentity(credentials: ClusterCredentials): string {
  return `${credentials.caData ?? ""}\n${credentials.clientCert ?? ""}\n${credentials.clientKey ?? ""}`;
}
