import { parseDuration } from "../../crds/duration.ts";
import { parseFreezeWindows, type FreezeCalendar } from "../../calendar/freeze-windows.ts";
import { effectiveMatrix, KNOWN_SIGNALS, planNames } from "../../decision/default-matrix.ts";
import type { PlanView, PolicyView } from "../../decision/guards/guard.ts";
import { parseMatrix } from "../../decision/matrix.ts";
import type { Row } from "../../decision/row.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { PrometheusServers } from "../../prometheus/servers.ts";
import type { ClusterSignals } from "../../signals/cluster-signals.ts";
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
  readonly plans: readonly PlanView[];
  readonly freeze: FreezeCalendar;
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
  const intervalMs = parseDuration(spec.interval);
  const signals: CompiledSignal[] = [];
  for (const signal of spec.signals) {
    const opened = openSource(signal, { policy, servers, cluster });
    if (opened.kind === "Refused") problems.push(...opened.problems);
    else signals.push({ name: signal.name, source: opened.source });
  }
  const units = new Map(spec.signals.map((signal) => [signal.name, unitOfSignal(signal)]));
  const rows = effectiveMatrix(spec);
  if (rows.length === 0) {
    problems.push(
      `no signal has a name that the default matrix knows (${KNOWN_SIGNALS.join(", ")}): write spec.matrix`,
    );
  }
  const matrix = parseMatrix(rows, units, parseDuration);
  if (matrix.kind === "Refused") problems.push(...matrix.problems);
  problems.push(...impossibleRows(rows, spec.signals));
  const freeze = parseFreezeWindows(spec.guards.freeze);
  if (freeze.kind === "Refused") problems.push(...freeze.problems);
  if (matrix.kind === "Refused" || freeze.kind === "Refused" || problems.length > 0) {
    closeAll(signals);
    return { kind: "Refused", problems: [...new Set(problems)] };
  }
  const lookbackMs = parseDuration(spec.attribution.lookback);
  return {
    kind: "Compiled",
    rows: matrix.rows,
    plans: planNames(spec.plans).map((name) => ({ name, goesBack: goesBack(spec, name) })),
    freeze: freeze.calendar,
    podLabel: spec.attribution.podLabel,
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
      require: spec.attribution.require,
      settleMs: parseDuration(spec.guards.settle),
      cooldownMs: parseDuration(spec.guards.cooldown),
      maxPerDay: spec.guards.maxPerDay,
      maxBreachAgeMs: parseDuration(spec.guards.maxBreachAge),
    },
  };
}

/** Gives up what the signals of a policy hold; they are not read afterwards. */
export function closePolicy(compiled: CompileResult): void {
  if (compiled.kind === "Compiled") closeAll(compiled.signals);
}

function closeAll(signals: readonly CompiledSignal[]): void {
  for (const { source } of signals) source.close?.();
}

/** Whether a plan puts the policy's target back to its last known good revision. */
function goesBack({ plans, target }: RollbackPolicy["spec"], name: string): boolean {
  const steps = plans?.find((plan) => plan.name === name)?.steps;
  if (steps === undefined) return true;
  return steps.some(
    ({ workload }) =>
      workload?.to.strategy === "LastKnownGood" &&
      (workload.name === undefined || (workload.kind === target.kind && workload.name === target.name)),
  );
}
