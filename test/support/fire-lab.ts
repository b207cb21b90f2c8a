import { proxyIdentity, startFaultProxy, type FaultProxy } from "./fault-proxy.ts";
import type { OperatorProcess, OperatorProcessOptions } from "./operator-process.ts";
import { startWorld, type World, type WorldOptions } from "./world.ts";

/** A world whose operator reaches the API server through a fault proxy, and through nothing else. */
export interface FireLab {
  readonly world: World;
  readonly proxy: FaultProxy;
  /** Starts an operator behind the proxy. */
  start(options?: Partial<OperatorProcessOptions>): Promise<OperatorProcess>;
  stop(): Promise<void>;
}

export async function startFireLab(options: WorldOptions = {}): Promise<FireLab> {
  const world = await startWorld(options);
  const identity = await proxyIdentity(world.controlPlane.dir, "proxy");
  const proxy = await startFaultProxy(world.controlPlane, identity);
  return {
    world,
    proxy,
    start: (overrides) => world.operator({ server: proxy.server, caData: proxy.caData, ...overrides }),
    async stop() {
      await world.stop();
      await proxy.close();
    },
  };
}

/** Status code and text of one of the operator's own pages. */
export async function page(
  operator: OperatorProcess,
  path: "/healthz" | "/readyz" | "/metrics",
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${operator.url}${path}`);
  return { status: response.status, text: await response.text() };
}
