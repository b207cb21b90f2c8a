import type { CompiledPolicy } from "../controllers/policy/compile.ts";
import type { Reading } from "../decision/sample.ts";
import type { SignalSubject } from "../signals/source.ts";
import { BacktestError } from "./backtest-error.ts";
import type { PastRelease } from "./past-release.ts";
import { readPast, type PastReadings } from "./readings.ts";
import { Replay, type OnTick } from "./replay.ts";
import type { BacktestReport } from "./report.ts";

export interface BacktestInput {
  readonly compiled: CompiledPolicy;
  readonly namespace: string;
  readonly target: { readonly uid: string; readonly name: string };
  /** Oldest first. */
  readonly releases: readonly PastRelease[];
  /** ms since the epoch; both included. */
  readonly start: number;
  readonly end: number;
  /** Where production's evaluations lie within the interval, ms; 0 = on whole intervals since the epoch. */
  readonly gridOffsetMs?: number;
  /** Told after each stretch, with the share that is done. */
  readonly onProgress?: (share: number) => void;
  /** Told after each evaluation from `start` on. */
  readonly onTick?: OnTick;
}

/** Steps of one range query: answers stay small however long the range is. */
const CHUNK_STEPS = 1_000;

/** Replays a policy over the past. Throws BacktestError where the past cannot be read. */
export async function backtest(input: BacktestInput, signal: AbortSignal): Promise<BacktestReport> {
  const { compiled, releases, start, end, onProgress } = input;
  const { intervalMs } = compiled.view;
  const offset = input.gridOffsetMs ?? 0;
  const first = Math.ceil((start - offset) / intervalMs) * intervalMs + offset;
  if (first > end) throw new BacktestError("the range is shorter than one interval of the policy");
  const warmUp = Math.floor(compiled.rehydrateMs / intervalMs) * intervalMs;
  let replay: Replay | undefined;
  let forgotten: readonly string[] = [];
  const span = CHUNK_STEPS * intervalMs;
  for (let from = first - warmUp; from <= end; from += span) {
    const last =
      from + Math.floor((Math.min(end, from + span - intervalMs) - from) / intervalMs) * intervalMs;
    const past = await readSignals(input, { start: from, end: last, stepMs: intervalMs }, signal);
    if (replay === undefined) {
      forgotten = [...past].flatMap(([name, { kind }]) => (kind === "NoMemory" ? [name] : []));
      replay = new Replay({ ...input, compiled: without(compiled, forgotten), start: first });
    }
    for (let at = from; at <= last; at += intervalMs) await replay.tick(at, readingsAt(past, at), signal);
    onProgress?.(Math.max(0, Math.min(1, (last - first) / (end - first || 1))));
  }
  if (replay === undefined) throw new BacktestError("the range holds no evaluation");
  return {
    start,
    end,
    intervalMs,
    decisions: replay.decisions,
    samples: replay.samples,
    releases: releases.filter(({ startedAt }) => startedAt >= start && startedAt <= end).length,
    knownGood: replay.knownGood,
    notes: forgotten.map((name) => `signal ${name} is left out: nobody keeps its history`),
  };
}

/** Rows of signals without a history would be blind for ever, and let nothing bake. */
function without(compiled: CompiledPolicy, forgotten: readonly string[]): CompiledPolicy {
  return { ...compiled, rows: compiled.rows.filter(({ signal }) => !forgotten.includes(signal)) };
}

async function readSignals(
  { compiled, namespace }: BacktestInput,
  range: { readonly start: number; readonly end: number; readonly stepMs: number },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, PastReadings>> {
  // Sources of Prometheus ask for nothing else of their workload.
  const subject: SignalSubject = {
    namespace,
    desiredReplicas: 1,
    live: undefined,
    rollbackTarget: undefined,
  };
  const read = compiled.signals.map(
    async (named) => [named.name, await readPast(named, range, subject, signal)] as const,
  );
  return new Map(await Promise.all(read));
}

function readingsAt(past: ReadonlyMap<string, PastReadings>, at: number): ReadonlyMap<string, Reading> {
  return new Map([...past].flatMap(([name, each]) => (each.kind === "Read" ? [[name, each.at(at)]] : [])));
}
