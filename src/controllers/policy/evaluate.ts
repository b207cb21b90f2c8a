import { bake, startBaking } from "../../decision/known-good.ts";
import { overall } from "../../decision/sample.ts";
import type { CompiledPolicy } from "./compile.ts";
import { tidingsOf, type Tidings } from "./news.ts";
import type { PolicyPorts } from "./ports.ts";
import type { PolicyRuntime } from "./runtime.ts";
import { checkBuckets, tick } from "./sample.ts";

/** What is told of an evaluation, as soon as it is known. */
export type Tell = (tidings: Tidings) => void;

/**
 * One evaluation of one policy: reads its signals, moves its windows, and bakes its release, all in memory. Only what
 * has to be decided, written or shown is told; a quiet evaluation touches nothing outside this process.
 */
export async function evaluatePolicy(
  { clock, observer }: Pick<PolicyPorts, "clock" | "observer">,
  runtime: PolicyRuntime,
  at: number,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const { compiled, situation } = runtime;
  // The same instant again, as after a target that was gone for a moment, is none.
  if (compiled.kind === "Refused" || situation === undefined || at === runtime.lastTickAt) return;
  const { lastTickAt, evaluations, readings, health, baking } = runtime;
  await tick(runtime, compiled, at, situation.subject, signal);
  for (const reading of runtime.readings.values()) observer.sampled(overall(reading).kind);
  bakeRelease(runtime, compiled, at);
  // As long as it is looked at, a change of the release is seen when it happens.
  if (runtime.seenRelease !== undefined) runtime.seenRelease.at = clock.now();
  const tidings = tidingsOf({ lastTickAt, evaluations, readings, health, baking }, runtime);
  tell(tidings === "Quiet" && runtime.restless ? "News" : tidings);
  const unreachable = runtime.unreachable.size;
  await checkBuckets(runtime, compiled, at, signal);
  if (runtime.unreachable.size !== unreachable) tell("News");
}

/** In memory; a release that has proven itself is news, and goes into the ledger then. */
function bakeRelease(runtime: PolicyRuntime, compiled: CompiledPolicy, at: number): void {
  // As it is now: sampling took its time.
  const { situation } = runtime;
  if (situation?.release === undefined) return;
  const { release, rolloutComplete, rolledBackAt } = situation;
  runtime.baking = bake(runtime.baking ?? startBaking(release), {
    release,
    evaluations: runtime.evaluations,
    at,
    complete: rolloutComplete,
    rolledBackAt,
    bakeMs: compiled.bakeMs,
    intervalMs: compiled.view.intervalMs,
  });
}
