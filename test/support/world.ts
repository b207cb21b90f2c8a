import { join } from "node:path";
import { systemClock } from "../../src/kube/clock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { staticCredentials } from "../../src/kube/credentials.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { createTransport } from "../../src/kube/transport.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import { deploymentType, type Deployment } from "../../src/kube/well-known.ts";
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from "../cluster/control-plane.ts";
import { waitFor } from "../cluster/readiness.ts";
import { kubectlFor, type Kubectl } from "./kubectl.ts";
import {
  installOperator,
  startOperator,
  type OperatorProcess,
  type OperatorProcessOptions,
} from "./operator-process.ts";
import { runPodSimulator } from "./pod-simulator.ts";

/** A control plane with the operator's manifests installed, pods played by the simulator. */
export interface World {
  readonly controlPlane: ControlPlane;
  readonly kubectl: Kubectl;
  /** Client with the administrator's rights, for looking and for playing other people. */
  readonly client: KubeClient;
  readonly operatorToken: string;
  /** Starts an operator process; it ends with the world. */
  operator(options?: Partial<OperatorProcessOptions>): Promise<OperatorProcess>;
  /** Makes a namespace with an executor in it, and returns its name. */
  tenant(name: string): Promise<string>;
  deployment(key: string): Promise<Deployment>;
  request(key: string): Promise<RollbackRequest>;
  stop(): Promise<void>;
}

export interface WorldOptions extends ControlPlaneOptions {
  /** Address that every Ready pod gets: where a test listens in its place. */
  readonly podIP?: string;
  /** Installs the operator another way and gives a token of its ServiceAccount. */
  readonly install?: (kubectl: Kubectl) => Promise<string>;
  /** False: nobody plays the kubelet, and no pod is followed. */
  readonly podSimulator?: boolean;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const controlPlane = await startControlPlane(options);
  const abort = new AbortController();
  const clock = systemClock();
  const { server, caData, adminToken, dir, kubeconfigPath } = controlPlane;
  const transport = createTransport({
    credentials: staticCredentials({ server, caData, token: adminToken }),
    clock,
    random: Math.random,
    userAgent: "test",
  });
  const client = createKubeClient({ transport, clock });
  const kubectl = await kubectlFor(kubeconfigPath);
  const operatorToken = await (options.install ?? installOperator)(kubectl);
  const simulator =
    options.podSimulator === false ? undefined : runPodSimulator(client, abort.signal, options.podIP);
  const operators: OperatorProcess[] = [];
  let ordinal = 0;
  return {
    controlPlane,
    kubectl,
    client,
    operatorToken,
    async operator(overrides = {}) {
      const started = await startOperator({
        server,
        caData,
        token: operatorToken,
        dir: join(dir, "operator"),
        name: `operator-${(ordinal += 1)}`,
        ...overrides,
      });
      operators.push(started);
      return started;
    },
    async tenant(name) {
      await kubectl(["create", "namespace", name]);
      await kubectl(["apply", "-n", name, "-f", "examples/executor.yaml"]);
      return name;
    },
    deployment: (key) => client.get(deploymentType, split(key), { signal: abort.signal }),
    request: (key) => client.get(ROLLBACK_REQUESTS, split(key), { signal: abort.signal }),
    async stop() {
      await Promise.all(operators.map((operator) => operator.stop()));
      abort.abort();
      await simulator;
      await transport.close();
      await controlPlane.stop();
    },
  };
}

/** Long: whoever waits shares the machine with others, and a wait ends as soon as it may. */
const PATIENCE_MS = 60_000;

/** Waits until a read satisfies the condition, and returns what was read. */
export async function until<T>(
  what: string,
  read: () => Promise<T>,
  condition: (value: T) => boolean,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  let last: T | undefined;
  try {
    await waitFor(
      what,
      async () => {
        last = await read();
        return condition(last);
      },
      { timeoutMs, intervalMs: 25 },
    );
  } catch (error) {
    throw new Error(`${what}: last seen ${JSON.stringify(last, null, 1)}`, { cause: error });
  }
  return last as T;
}

function split(key: string): { readonly namespace: string; readonly name: string } {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name };
}
