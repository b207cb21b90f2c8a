import { evaluateRows, statesOf } from "../../decision/matrix.ts";
import type { Sample } from "../../decision/sample.ts";
import { formatValue } from "../../decision/sentence.ts";
import { observeHealth, SEEING } from "../../decision/signal-health.ts";
import { replay } from "../../decision/window.ts";
import type { CompiledPolicy, CompiledSignal } from "./compile.ts";
import type { PolicyRuntime } from "./runtime.ts";

/** One tick: samples every signal at `at` (ms since the epoch) and moves every row's window. */
export async function tick(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  at: number,
  desiredReplicas: number,
  signal: AbortSignal,
): Promise<void> {
  if (runtime.lastTickAt !== undefined && at <= runtime.lastTickAt) forgetWindows(runtime, compiled);
  await rehydrate(runtime, compiled, at, signal);
  const entries = await Promise.all(
    compiled.signals.map(
      async ({ name, query, sampler }) => [name, await sampler.sample(query, at, signal)] as const,
    ),
  );
  const samples = new Map<string, Sample>(entries);
  runtime.samples = samples;
  runtime.health = new Map(
    entries.map(([name, sample]) => [
      name,
      observeHealth(runtime.health.get(name) ?? SEEING, sample, desiredReplicas),
    ]),
  );
  runtime.evaluations = evaluateRows(compiled.rows, samples, runtime.windows, at, compiled.view.intervalMs);
  runtime.windows = statesOf(runtime.evaluations);
  runtime.lastTickAt = at;
  await checkBuckets(runtime, compiled, at, signal);
}

/** The clock was set back: windows speak of a time to come, and are read back like after a restart. */
function forgetWindows(runtime: PolicyRuntime, compiled: CompiledPolicy): void {
  runtime.windows = new Map();
  runtime.unread = new Set(compiled.signals.map(({ name }) => name));
}

/** Rebuilds the windows of signals whose past was not read yet; a server that is down is asked again next time. */
async function rehydrate(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  at: number,
  signal: AbortSignal,
): Promise<void> {
  const unread = compiled.signals.filter(({ name }) => runtime.unread.has(name));
  await Promise.all(unread.map((each) => rehydrateSignal(runtime, compiled, each, at, signal)));
}

async function rehydrateSignal(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  { name, query, sampler }: CompiledSignal,
  at: number,
  signal: AbortSignal,
): Promise<void> {
  const { intervalMs } = compiled.view;
  const steps = Math.floor(compiled.rehydrateMs / intervalMs);
  // The newest step is one interval before this tick, which takes a sample of its own.
  const end = at - intervalMs;
  const past = await sampler.sampleRange(query, end - (steps - 1) * intervalMs, end, intervalMs, signal);
  if (past.kind === "Failed") return;
  const rows = compiled.rows.filter((row) => row.signal === name);
  runtime.windows = new Map([
    ...runtime.windows,
    ...rows.map((row) => [row.name, replay(row, past.value, intervalMs)] as const),
  ]);
  runtime.unread = new Set([...runtime.unread].filter((each) => each !== name));
}

/** A threshold above the highest finite bucket can never be exceeded: said once the buckets are known. */
async function checkBuckets(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  at: number,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, query, sampler } of compiled.signals) {
    if (query.kind !== "quantile" || runtime.bucketsSeen.has(name)) continue;
    const highest = await sampler.highestFiniteBucket(query, at, signal);
    if (highest.kind !== "Found") continue;
    runtime.bucketsSeen = new Set([...runtime.bucketsSeen, name]);
    const unreachable = compiled.rows
      .filter((row) => row.signal === name && row.comparison === "above" && row.threshold >= highest.bound)
      .map(
        (row) =>
          [
            row.name,
            `row ${row.name} can never fire: the highest bucket of ${name} is ${formatValue(highest.bound, row.unit)}, its threshold ${formatValue(row.threshold, row.unit)}`,
          ] as const,
      );
    runtime.unreachable = new Map([...runtime.unreachable, ...unreachable]);
  }
}
