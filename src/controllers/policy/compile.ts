import { parseDuration } from "../../crds/duration.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { PrometheusServers } from "../../prometheus/servers.ts";
import type { ClusterSignals } from "../../signals/cluster-signals.ts";
import { openSource } from "../../signals/registry.ts";
import type { SignalSource } from "../../signals/source.ts";
import { parseRules, type PolicyRules } from "./rules.ts";

/** A signal that can be asked for, the same object for the life of a generation. */
export interface CompiledSignal {
  readonly name: string;
  readonly source: SignalSource;
}

/** A policy's spec in the terms of the decision core. Lengths in milliseconds. */
export interface CompiledPolicy extends PolicyRules {
  readonly kind: "Compiled";
  /** Label of the metrics that holds the pod's name. */
  readonly podLabel: string;
  readonly signals: readonly CompiledSignal[];
  readonly bakeMs: number;
  /** How far back a window is rebuilt: lookback and the longest `for`. */
  readonly rehydrateMs: number;
}

/** One range query of at most this many points: what lies before is unknown, and an unknown onset never acts. */
const MAX_REHYDRATED = 10_000;

export type CompileResult =
  CompiledPolicy | { readonly kind: "Refused"; readonly problems: readonly string[] };

/**
 * Reads a policy's spec; what only the operator's configuration or the query language can tell is said here. The signals
 * of a compiled policy are open until `closePolicy`.
 */
export function compilePolicy(
  policy: RollbackPolicy,
  servers: PrometheusServers,
  cluster?: ClusterSignals,
): CompileResult {
  const { spec } = policy;
  const problems: string[] = [];
  const signals: CompiledSignal[] = [];
  for (const signal of spec.signals) {
    const opened = openSource(signal, { policy, servers, cluster });
    if (opened.kind === "Refused") problems.push(...opened.problems);
    else signals.push({ name: signal.name, source: opened.source });
  }
  const parsed = parseRules(policy);
  if (parsed.kind === "Refused") problems.push(...parsed.problems);
  if (parsed.kind === "Refused" || problems.length > 0) {
    closeAll(signals);
    return { kind: "Refused", problems: [...new Set(problems)] };
  }
  const { rules } = parsed;
  const { lookbackMs, intervalMs } = rules.view;
  return {
    kind: "Compiled",
    ...rules,
    podLabel: spec.attribution.podLabel,
    signals,
    bakeMs: parseDuration(spec.bake),
    rehydrateMs: Math.min(
      lookbackMs + Math.max(...rules.rows.map(({ forMs }) => forMs)),
      MAX_REHYDRATED * intervalMs,
    ),
  };
}

/** Gives up what the signals of a policy hold; they are not read afterwards. */
export function closePolicy(compiled: CompileResult): void {
  if (compiled.kind === "Compiled") closeAll(compiled.signals);
}

function closeAll(signals: readonly CompiledSignal[]): void {
  for (const { source } of signals) source.close?.();
}
