import { formatDuration } from "../../crds/duration.ts";
import { finish, refuse, wait, type Decision } from "./decision.ts";
import { stopMessage } from "./limits.ts";
import type { Situation } from "./situation.ts";
import type { LockState } from "./target-lock.ts";
import { planSentence } from "./wording.ts";

/** Waiting requests are woken when the holder ends; this only bounds a lost wake-up. */
const LOCK_POLL_MS = 5_000;

/** How long a first plan waits for the workload's own controller to catch up with the newest change. */
const PLANNING_LIMIT_MS = 60_000;

/** Until the first announcement: nothing was changed, whatever the end. */
export function decideBeforeAct(situation: Situation, now: number): Decision {
  const { request, resolution, twin, plan, lock } = situation;
  if (twin !== undefined) return replay(twin);
  if (resolution.kind === "Refused") return refuse(resolution.reason, resolution.message);
  const stopped = stopMessage(situation);
  if (stopped !== undefined) return refuse("KillSwitch", stopped);
  if (plan === undefined) return { kind: "Plan" };
  switch (plan.kind) {
    case "Pending":
      return isPlanningTooLong(request, now)
        ? refuse("Stuck", `${plan.message}, for longer than ${formatDuration(PLANNING_LIMIT_MS)}`)
        : wait("Planning", "Planning", plan.message, plan.pollAfterMs);
    case "NothingToDo":
      return finish("Succeeded", "NothingToDo", `nothing was changed: ${plan.message}`);
    case "Refused":
      return refuse(plan.reason, plan.message);
    case "Superseded":
      return finish("Superseded", "Superseded", plan.message);
    case "Planned":
      break;
  }
  if (request.spec.dryRun)
    return finish("Succeeded", "DryRun", `nothing was changed: ${planSentence(plan.plan)}`);
  if (lock === undefined) return { kind: "TakeLock" };
  if (lock.kind === "Busy") return waitForTurn(lock);
  return { kind: "Announce", plan: plan.plan };
}

function waitForTurn({ holder: { namespace, name } }: Extract<LockState, { kind: "Busy" }>): Decision {
  const message = `waits for RollbackRequest ${namespace}/${name} on the same target`;
  return wait("Pending", "TargetBusy", message, LOCK_POLL_MS);
}

/** A request that waited for its turn was planned before: its age says nothing of the workload's controller. */
function isPlanningTooLong(request: Situation["request"], now: number): boolean {
  const wasPlanned = request.status?.plan !== undefined;
  return !wasPlanned && now - Date.parse(request.metadata.creationTimestamp) >= PLANNING_LIMIT_MS;
}

function replay(twin: NonNullable<Situation["twin"]>): Decision {
  // Succeeded would say that the target is as it was asked for.
  const { overtakenBy } = twin;
  const phase = twin.outcome === "Started" || overtakenBy !== undefined ? "Failed" : twin.outcome;
  const since = overtakenBy === undefined ? "" : `; ${overtakenBy}`;
  const how = twin.outcome === "Started" ? "its outcome was never recorded" : `ended ${twin.outcome}`;
  return finish(
    phase,
    "AlreadyExecuted",
    `a request of this name and spec ran at ${twin.at} as ${twin.uid} and ${how}${since}; nothing done now; use a new name`,
  );
}
