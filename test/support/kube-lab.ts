import { systemClock } from "../../src/kube/clock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { staticCredentials } from "../../src/kube/credentials.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { createTransport, type Transport, type TransportOptions } from "../../src/kube/transport.ts";
import { namespaceType } from "../../src/kube/well-known.ts";
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from "../cluster/control-plane.ts";
import { proxyIdentity, startFaultProxy, type FaultProxy, type ProxyIdentity } from "./fault-proxy.ts";

/** A real API server without controllers, and our runtime's client in this very process. */
export interface KubeLab {
  readonly plane: ControlPlane;
  readonly transport: Transport;
  /** As the administrator. */
  readonly client: KubeClient;
  /** Another identity's transport; closed with the lab. */
  open(token: string): Transport;
  /** A fault proxy and a client that goes through it; both closed with the lab. */
  behindProxy(
    options?: Partial<TransportOptions>,
  ): Promise<{ readonly proxy: FaultProxy; readonly client: KubeClient }>;
  /** Makes a namespace and returns its name. */
  namespace(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** A client of this process for one identity, by its token. The transport must be closed. */
export function openClient(
  server: { readonly server: string; readonly caData: string },
  token: string,
  more: Partial<TransportOptions> = {},
): { readonly transport: Transport; readonly client: KubeClient } {
  const clock = systemClock();
  const transport = createTransport({
    credentials: staticCredentials({ server: server.server, caData: server.caData, token }),
    clock,
    random: Math.random,
    userAgent: "kube-lab",
    ...more,
  });
  return { transport, client: createKubeClient({ transport, clock }) };
}

export async function startKubeLab(options: ControlPlaneOptions = {}): Promise<KubeLab> {
  const plane = await startControlPlane({ controllerManager: false, ...options });
  let identity: ProxyIdentity | undefined;
  const closing: (() => Promise<void>)[] = [];
  const open: typeof openClient = (...args) => {
    const opened = openClient(...args);
    closing.push(() => opened.transport.close());
    return opened;
  };
  const { transport, client } = open(plane, plane.adminToken);
  return {
    plane,
    transport,
    client,
    open: (token) => open(plane, token).transport,
    async behindProxy(more) {
      identity ??= await proxyIdentity(plane.dir, "proxy");
      const proxy = await startFaultProxy(plane, identity);
      closing.push(() => proxy.close());
      return { proxy, client: open(proxy, plane.adminToken, more).client };
    },
    async namespace(name) {
      await client.create(namespaceType, { metadata: { name } }, { signal: new AbortController().signal });
      return name;
    },
    async stop() {
      await Promise.all(closing.map((close) => close()));
      await plane.stop();
    },
  };
}

/** What a promise rejects with; undefined when it does not. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
