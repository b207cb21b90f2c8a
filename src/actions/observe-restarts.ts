import { observeRestarts, restartStale, type Restarts } from "../config-maps/restarts.ts";
import type { PlannedStep, StepEnd } from "../crds/rollback-request.ts";
import type { Advance, ApplyContext, Progress } from "./action.ts";

/** Watch events wake no step on a ConfigMap. */
const POLL_MS = 1_000;
/** Writes follow at once. */
const ADVANCED_MS = 100;

type WithRestarts = Pick<PlannedStep, "restarts" | "to">;

/** How far the restarts of a change that is in place are. `after` is what the change became. */
export async function observeConsumers(
  plan: WithRestarts,
  after: StepEnd,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<Progress> {
  const restarts = restartsOf(plan, context);
  if (restarts === undefined) return { kind: "Done", message: "in place", after };
  const state = await observeRestarts(context, restarts, { now: context.now, stuckAfterMs });
  const { message } = state;
  switch (state.kind) {
    case "Fresh":
      return { kind: "Done", message, after };
    case "Stale":
      return { kind: "InProgress", message, pollAfterMs: ADVANCED_MS, after, needsAdvance: true };
    case "Rolling":
      return { kind: "InProgress", message, pollAfterMs: POLL_MS, after };
    case "Stuck":
      return { kind: "Failed", reason: "Stuck", message, after };
  }
}

/** Restarts those that were not yet. */
export async function advanceConsumers(plan: WithRestarts, context: ApplyContext): Promise<Advance> {
  const restarts = restartsOf(plan, context);
  const done = restarts === undefined ? [] : await restartStale(context, restarts);
  return { message: done.length === 0 ? "" : `restarted ${done.join(", ")}` };
}

/** The way back restarts the same ones again: another time, but one that follows from the plan alone. */
export function restartAgain(restartedAt: string | undefined): { readonly restartedAt?: string } {
  return restartedAt === undefined
    ? {}
    : { restartedAt: new Date(Date.parse(restartedAt) + 1).toISOString() };
}

function restartsOf(
  { restarts: titles = [], to }: WithRestarts,
  { appliedAt }: ApplyContext,
): Restarts | undefined {
  const at = to?.restartedAt;
  return at === undefined || titles.length === 0 ? undefined : { titles, at, appliedAt };
}
