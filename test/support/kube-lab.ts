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

export async function startKubeLab(options: ControlPlaneOptions = {}): Promise<KubeLab> {
  const plane = await startControlPlane({ controllerManager: false, ...options });
  const clock = systemClock();
  let identity: ProxyIdentity | undefined;
  const closing: (() => Promise<void>)[] = [];
  function openAt(
    server: { readonly server: string; readonly caData: string },
    token: string,
    more: Partial<TransportOptions> = {},
  ): Transport {
    const transport = createTransport({
      credentials: staticCredentials({ server: server.server, caData: server.caData, token }),
      clock,
      random: Math.random,
      userAgent: "kube-lab",
      ...more,
    });
    closing.push(() => transport.close());
    return transport;
  }
  const transport = openAt(plane, plane.adminToken);
  const client = createKubeClient({ transport, clock });
  return {
    plane,
    transport,
    client,
    open: (token) => openAt(plane, token),
    async behindProxy(more) {
      identity ??= await proxyIdentity(plane.dir, "proxy");
      const proxy = await startFaultProxy(plane, identity);
      closing.push(() => proxy.close());
      return { proxy, client: createKubeClient({ transport: openAt(proxy, plane.adminToken, more), clock }) };
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
