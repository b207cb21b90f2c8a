import { parseDuration } from "../../crds/duration.ts";
import { parseMatrix } from "../../decision/matrix.ts";
import type { PolicyView } from "../../decision/guards/guard.ts";
import type { Row } from "../../decision/row.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { PrometheusServers } from "../../prometheus/servers.ts";
import { openSource } from "../../signals/registry.ts";
import type { SignalSource } from "../../signals/source.ts";
import { unitOfSignal } from "../../signals/unit.ts";
import { impossibleRows } from "./impossible-rows.ts";

/** A signal that can be asked for, the same object for the life of a generation. */
export interface CompiledSignal {
  readonly name: string;
  readonly source: SignalSource;
}

/** A policy's spec in the terms of the decision core. Lengths in milliseconds. */
export interface CompiledPolicy {
  readonly kind: "Compiled";
  readonly view: PolicyView;
  readonly rows: readonly Row[];
  readonly signals: readonly CompiledSignal[];
  readonly bakeMs: number;
  /** How far back a window is rebuilt: lookback and the longest `for`. */
  readonly rehydrateMs: number;
}

/** One range query of at most this many points: what lies before is unknown, and an unknown onset never acts. */
const MAX_REHYDRATED = 10_000;

export type CompileResult =
  CompiledPolicy | { readonly kind: "Refused"; readonly problems: readonly string[] };

/** Reads a policy's spec; what only the operator's configuration or the query language can tell is said here. Pure. */
export function compilePolicy(policy: RollbackPolicy, servers: PrometheusServers): CompileResult {
  const { spec } = policy;
  const problems: string[] = [];
  const intervalMs = parseDuration(spec.interval);
  const signals: CompiledSignal[] = [];
  for (const signal of spec.signals) {
    const opened = openSource(signal, { policy, servers });
    if (opened.kind === "Refused") problems.push(...opened.problems);
    else signals.push({ name: signal.name, source: opened.source });
  }
  const units = new Map(spec.signals.map((signal) => [signal.name, unitOfSignal(signal)]));
  const matrix = parseMatrix(spec.matrix, units, parseDuration);
  if (matrix.kind === "Refused") problems.push(...matrix.problems);
  problems.push(...impossibleRows(spec.matrix, spec.signals));
  if (matrix.kind === "Refused" || problems.length > 0)
    return { kind: "Refused", problems: [...new Set(problems)] };
  const lookbackMs = parseDuration(spec.attribution.lookback);
  return {
    kind: "Compiled",
    rows: matrix.rows,
    signals,
    bakeMs: parseDuration(spec.bake),
    rehydrateMs: Math.min(
      lookbackMs + Math.max(...matrix.rows.map(({ forMs }) => forMs)),
      MAX_REHYDRATED * intervalMs,
    ),
    view: {
      mode: spec.mode,
      suspended: spec.suspend,
      executor: spec.serviceAccountName,
      intervalMs,
      lookbackMs,
      settleMs: parseDuration(spec.guards.settle),
      cooldownMs: parseDuration(spec.guards.cooldown),
      maxPerDay: spec.guards.maxPerDay,
      maxBreachAgeMs: parseDuration(spec.guards.maxBreachAge),
    },
  };
}
