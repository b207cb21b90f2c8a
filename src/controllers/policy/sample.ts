import { evaluateRows, stateKey, statesOf } from "../../decision/matrix.ts";
import { overall } from "../../decision/sample.ts";
import { formatValue } from "../../decision/sentence.ts";
import { observeHealth, SEEING } from "../../decision/signal-health.ts";
import { replay } from "../../decision/window.ts";
import type { SignalSubject } from "../../signals/source.ts";
import type { CompiledPolicy, CompiledSignal } from "./compile.ts";
import type { PolicyRuntime } from "./runtime.ts";

/** Reads every signal at `at` (ms since the epoch) and moves every row's window. */
export async function tick(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  at: number,
  subject: SignalSubject,
  signal: AbortSignal,
): Promise<void> {
  if (runtime.lastTickAt !== undefined && at <= runtime.lastTickAt) forgetWindows(runtime, compiled);
  await rehydrate(runtime, compiled, at, subject, signal);
  const entries = await Promise.all(
    compiled.signals.map(async ({ name, source }) => [name, await source.read(at, subject, signal)] as const),
  );
  runtime.readings = new Map(entries);
  runtime.health = new Map(
    entries.map(([name, reading]) => [
      name,
      observeHealth(runtime.health.get(name) ?? SEEING, overall(reading), subject.desiredReplicas),
    ]),
  );
  const { intervalMs } = compiled.view;
  runtime.evaluations = evaluateRows(compiled.rows, runtime.readings, runtime.windows, at, intervalMs);
  runtime.windows = statesOf(runtime.evaluations);
  runtime.lastTickAt = at;
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
  subject: SignalSubject,
  signal: AbortSignal,
): Promise<void> {
  const unread = compiled.signals.filter(({ name }) => runtime.unread.has(name));
  await Promise.all(unread.map((each) => rehydrateSignal(runtime, compiled, each, at, subject, signal)));
}

async function rehydrateSignal(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  { name, source }: CompiledSignal,
  at: number,
  subject: SignalSubject,
  signal: AbortSignal,
): Promise<void> {
  const { intervalMs } = compiled.view;
  const steps = Math.floor(compiled.rehydrateMs / intervalMs);
  // The newest step is one interval before this tick, which takes a sample of its own.
  const end = at - intervalMs;
  const past = await source.readPast(end - (steps - 1) * intervalMs, end, intervalMs, signal, subject);
  if (past.kind === "Failed") return;
  const parts = past.kind === "Read" ? [...past.parts] : [];
  const rows = compiled.rows.filter((row) => row.signal === name);
  runtime.windows = new Map([
    ...runtime.windows,
    ...rows.flatMap((row) =>
      parts.map(([part, samples]) => [stateKey(row.name, part), replay(row, samples, intervalMs)] as const),
    ),
  ]);
  runtime.unread = new Set([...runtime.unread].filter((each) => each !== name));
}

/** A threshold above the highest finite bucket can never be exceeded: said once the buckets are known. */
export async function checkBuckets(
  runtime: PolicyRuntime,
  compiled: CompiledPolicy,
  at: number,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, source } of compiled.signals) {
    if (source.highestValue === undefined || runtime.bucketsSeen.has(name)) continue;
    const highest = await source.highestValue(at, signal);
    if (highest === undefined) continue;
    runtime.bucketsSeen = new Set([...runtime.bucketsSeen, name]);
    const unreachable = compiled.rows
      .filter((row) => row.signal === name && row.comparison === "above" && row.threshold >= highest)
      .map(
        (row) =>
          [
            row.name,
            `row ${row.name} can never fire: the highest bucket of ${name} is ${formatValue(highest, row.unit)}, its threshold ${formatValue(row.threshold, row.unit)}`,
          ] as const,
      );
    runtime.unreachable = new Map([...runtime.unreachable, ...unreachable]);
  }
}
