import { Agent } from "undici";
import { closePolicy, compilePolicy, type CompiledPolicy } from "../controllers/policy/compile.ts";
import type { RollbackPolicy } from "../kube/rollback-kinds.ts";
import { PrometheusServers } from "../prometheus/servers.ts";
import { BacktestError } from "./backtest-error.ts";

/** The Prometheus that holds the past; of every server that the policy names. Lengths in ms. */
export interface PastServer {
  readonly url: string;
  readonly scrapeIntervalMs: number;
  readonly timeoutMs: number;
  /** Forced into every selector with the policy's namespace as its value; "" forces none. */
  readonly namespaceLabel: string;
  readonly bearerTokenFile?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface OpenedPolicy {
  readonly compiled: CompiledPolicy;
  /** What of the policy cannot be replayed. One sentence each. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** Reads a policy as the operator would, with the past's server behind its signals. Throws BacktestError. */
export function openPolicy(
  policy: RollbackPolicy,
  server: PastServer,
  clock: { monotonic(): number },
): OpenedPolicy {
  const { policy: replayed, left } = withoutClusterSignals(policy);
  const dispatcher = new Agent({ allowH2: false, connections: 8 });
  const named = policy.spec.signals.flatMap(
    ({ prometheus, alert }) => prometheus?.server ?? alert?.server ?? [],
  );
  const names = new Set(["default", ...named]);
  const servers = new PrometheusServers(
    [...names].map((name) => ({
      name,
      url: server.url,
      scrapeInterval: server.scrapeIntervalMs,
      timeout: server.timeoutMs,
      minimumInterval: 0,
      namespaceLabel: server.namespaceLabel,
      bearerTokenFile: server.bearerTokenFile,
      headers: server.headers ?? {},
    })),
    dispatcher,
    clock,
  );
  const compiled = compilePolicy(replayed, servers);
  if (compiled.kind === "Refused") {
    const problems = compiled.problems.map((problem) => `  ${problem}`).join("\n");
    throw new BacktestError(`the operator would refuse policy ${policy.metadata.name}:\n${problems}`);
  }
  return {
    compiled,
    notes: left.map((name) => `signal ${name} and its rows are left out: the cluster keeps no history of it`),
    close: () => {
      closePolicy(compiled);
      return dispatcher.destroy();
    },
  };
}

/** What pods and reports say is known for now only. */
function withoutClusterSignals(policy: RollbackPolicy): {
  readonly policy: RollbackPolicy;
  readonly left: readonly string[];
} {
  const { spec } = policy;
  const isKept = ({ pods, vulnerabilityReports }: (typeof spec.signals)[number]) =>
    pods === undefined && vulnerabilityReports === undefined;
  const left = spec.signals.filter((signal) => !isKept(signal)).map(({ name }) => name);
  if (left.length === 0) return { policy, left };
  const matrix = spec.matrix?.filter(({ when }) => !left.includes(when.signal));
  if (left.length === spec.signals.length || matrix?.length === 0) {
    throw new BacktestError(
      `policy ${policy.metadata.name} has no row that can be replayed: of ${left.join(", ")} the cluster keeps no history`,
    );
  }
  return {
    policy: { ...policy, spec: { ...spec, signals: spec.signals.filter(isKept), ...(matrix && { matrix }) } },
    left,
  };
}
