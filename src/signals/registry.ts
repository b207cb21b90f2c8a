import { parseDuration } from "../crds/duration.ts";
import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { RollbackPolicy } from "../kube/rollback-kinds.ts";
import { buildAlertQuery } from "../prometheus/alert-query.ts";
import type { PrometheusServers, ServerEntry } from "../prometheus/servers.ts";
import { buildSignalQuery } from "../prometheus/signal-query.ts";
import { alertSource } from "./alert-source.ts";
import type { ClusterSignals } from "./cluster-signals.ts";
import type { SignalTarget } from "./ledger-memory.ts";
import { podsSource } from "./pods/pods-source.ts";
import { prometheusSource, type TakeSeat } from "./prometheus-source.ts";
import type { SignalSource } from "./source.ts";
import { vulnerabilitiesSource } from "./vulnerabilities/vulnerabilities-source.ts";

/** What the sources of a policy's signals are made of. */
export interface SignalContext {
  readonly policy: Pick<RollbackPolicy, "metadata" | "spec">;
  readonly servers: PrometheusServers;
  /** Absent where no cluster is watched, such as in a backtest. */
  readonly cluster?: ClusterSignals | undefined;
}

export type OpenedSource =
  | { readonly kind: "Opened"; readonly source: SignalSource }
  /** Sentences for people. */
  | { readonly kind: "Refused"; readonly problems: readonly string[] };

/** Where the values of a signal come from, by the one member that it has. */
export function openSource(signal: PolicySignal, context: SignalContext): OpenedSource {
  const { name, prometheus, pods, vulnerabilityReports, alert } = signal;
  if (prometheus !== undefined) return openPrometheus({ ...signal, prometheus }, context);
  if (alert !== undefined) return openAlert({ name, alert }, context);
  if (pods !== undefined || vulnerabilityReports !== undefined) {
    const { cluster } = context;
    if (cluster === undefined) return refused(`signal ${name}: it can be read from a running cluster only`);
    const target = targetOf(context.policy);
    if (pods !== undefined) return opened(podsSource({ spec: pods, target, ...cluster }));
    if (vulnerabilityReports !== undefined) {
      return opened(vulnerabilitiesSource({ spec: vulnerabilityReports, target, ...cluster }));
    }
  }
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
  const problems = [...tooOften(policy.spec.interval, entry)];
  const built = buildSignalQuery(signal, entry.server, policy.metadata.namespace ?? "");
  if (built.kind === "Refused") problems.push(built.message);
  return built.kind === "Refused" || problems.length > 0
    ? { kind: "Refused", problems }
    : { kind: "Opened", source: prometheusSource(built.value, entry.sampler, seatOf(context)) };
}

function openAlert(
  { name, alert }: { readonly name: string; readonly alert: NonNullable<PolicySignal["alert"]> },
  { policy, servers }: SignalContext,
): OpenedSource {
  const entry = servers.get(alert.server);
  if (entry === undefined) return refused(`signal ${name}: ${servers.unknownServer(alert.server)}`);
  const problem = tooOften(policy.spec.interval, entry);
  const { matchers } = alert;
  const built = buildAlertQuery({ name, matchers }, entry.server, policy.metadata.namespace ?? "");
  const problems = [...problem, ...(built.kind === "Refused" ? [built.message] : [])];
  return built.kind === "Refused" || problems.length > 0
    ? { kind: "Refused", problems }
    : { kind: "Opened", source: alertSource(built.value, entry.alerts) };
}

function tooOften(interval: string, { server, minimumIntervalMs }: ServerEntry): readonly string[] {
  return parseDuration(interval) >= minimumIntervalMs
    ? []
    : [
        `interval ${interval} is too short for server "${server.name}": its smallest is ${minimumIntervalMs / 1_000}s`,
      ];
}

/** The signals of one policy sit in one row, so that all of them are read at the same instants. */
function seatOf({ policy: { metadata, spec }, servers }: SignalContext): TakeSeat {
  const intervalMs = parseDuration(spec.interval);
  const owner = `${metadata.namespace}/${metadata.name} ${intervalMs}`;
  return (kind) => servers.seats.take(owner, `${kind} ${intervalMs}`);
}

function targetOf({ metadata, spec }: SignalContext["policy"]): SignalTarget {
  const { kind, name } = spec.target;
  return { group: "apps", kind, namespace: metadata.namespace ?? "", name };
}

function opened(source: SignalSource): OpenedSource {
  return { kind: "Opened", source };
}

function refused(problem: string): OpenedSource {
  return { kind: "Refused", problems: [problem] };
}
