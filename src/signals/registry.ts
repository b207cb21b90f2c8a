import { parseDuration } from "../crds/duration.ts";
import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { RollbackPolicy } from "../kube/rollback-kinds.ts";
import type { PrometheusServers } from "../prometheus/servers.ts";
import { buildSignalQuery } from "../prometheus/signal-query.ts";
import { prometheusSource, type TakeSeat } from "./prometheus-source.ts";
import type { SignalSource } from "./source.ts";

/** What the sources of a policy's signals are made of. */
export interface SignalContext {
  readonly policy: Pick<RollbackPolicy, "metadata" | "spec">;
  readonly servers: PrometheusServers;
}

export type OpenedSource =
  | { readonly kind: "Opened"; readonly source: SignalSource }
  /** Sentences for people. */
  | { readonly kind: "Refused"; readonly problems: readonly string[] };

/** Where the values of a signal come from, by the one member that it has. */
export function openSource(signal: PolicySignal, context: SignalContext): OpenedSource {
  const { name, prometheus, pods, vulnerabilityReports } = signal;
  if (prometheus !== undefined) return openPrometheus({ ...signal, prometheus }, context);
  if (pods !== undefined) return refused(`signal ${name}: pods cannot be watched here`);
  if (vulnerabilityReports !== undefined)
    return refused(`signal ${name}: vulnerability reports cannot be watched here`);
  return refused(`signal ${name}: this version of the operator does not know its source`);
}

function openPrometheus(
  signal: PolicySignal & { readonly prometheus: NonNullable<PolicySignal["prometheus"]> },
  context: SignalContext,
): OpenedSource {
  const { policy, servers } = context;
  const { name, prometheus } = signal;
  const entry = servers.get(prometheus.server);
  if (entry === undefined) return refused(`signal ${name}: ${servers.unknownServer(prometheus.server)}`);
  const problems: string[] = [];
  const { interval } = policy.spec;
  if (parseDuration(interval) < entry.minimumIntervalMs) {
    problems.push(
      `interval ${interval} is too short for server "${entry.server.name}": its smallest is ${entry.minimumIntervalMs / 1_000}s`,
    );
  }
  const built = buildSignalQuery(signal, entry.server, policy.metadata.namespace ?? "");
  if (built.kind === "Refused") problems.push(built.message);
  return built.kind === "Refused" || problems.length > 0
    ? { kind: "Refused", problems }
    : { kind: "Opened", source: prometheusSource(built.value, entry.sampler, seatOf(context)) };
}

/** The signals of one policy sit in one row, so that all of them are read at the same instants. */
function seatOf({ policy: { metadata, spec }, servers }: SignalContext): TakeSeat {
  const intervalMs = parseDuration(spec.interval);
  const owner = `${metadata.namespace}/${metadata.name} ${intervalMs}`;
  return (kind) => servers.seats.take(owner, `${kind} ${intervalMs}`);
}

function refused(problem: string): OpenedSource {
  return { kind: "Refused", problems: [problem] };
}
