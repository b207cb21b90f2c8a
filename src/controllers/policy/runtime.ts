import type { Baking } from "../../decision/known-good.ts";
import type { RowEvaluation, RowStates } from "../../decision/matrix.ts";
import type { Sample } from "../../decision/sample.ts";
import type { SignalHealth } from "../../decision/signal-health.ts";
import type { CompileResult } from "./compile.ts";
import type { RollbackReadiness } from "./readiness.ts";

/**
 * What the controller remembers of one policy between ticks. All of it can be lost: windows are read back from
 * Prometheus, releases and known good revisions from the ledger; only a bake in progress begins anew.
 */
export interface PolicyRuntime {
  readonly uid: string;
  readonly generation: number;
  readonly compiled: CompileResult;
  /** When this process began to evaluate this generation, ms since the epoch. */
  readonly watchingSince: number;
  /** Instant of the newest tick, ms since the epoch. */
  lastTickAt: number | undefined;
  /** Signals whose past could not be read back yet. */
  unread: ReadonlySet<string>;
  windows: RowStates;
  evaluations: readonly RowEvaluation[];
  samples: ReadonlyMap<string, Sample>;
  health: ReadonlyMap<string, SignalHealth>;
  baking: Baking | undefined;
  /** The live release as of the last look: a change that we see has a known start. */
  seenRelease: { readonly uid: string; readonly revision: number } | undefined;
  readiness: RollbackReadiness | undefined;
  /** Rows that can never fire, by name: their threshold lies above the histogram's highest bucket. */
  unreachable: ReadonlyMap<string, string>;
  /** Quantile signals whose buckets were seen. */
  bucketsSeen: ReadonlySet<string>;
  /** The newest decision as it was told, so that it is told once. */
  told: string | undefined;
  /** Rows that fired at the last tick. */
  firing: ReadonlySet<string>;
}

export function createRuntime(
  uid: string,
  generation: number,
  compiled: CompileResult,
  now: number,
): PolicyRuntime {
  const signals = compiled.kind === "Compiled" ? compiled.signals.map(({ name }) => name) : [];
  return {
    uid,
    generation,
    compiled,
    watchingSince: now,
    lastTickAt: undefined,
    unread: new Set(signals),
    windows: new Map(),
    evaluations: [],
    samples: new Map(),
    health: new Map(),
    baking: undefined,
    seenRelease: undefined,
    readiness: undefined,
    unreachable: new Map(),
    bucketsSeen: new Set(),
    told: undefined,
    firing: new Set(),
  };
}
