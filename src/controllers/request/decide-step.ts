import type { Progress } from "../../actions/action.ts";
import { formatDuration } from "../../crds/duration.ts";
import type { StepEnd } from "../../crds/rollback-request.ts";
import { RESTARTED_AT } from "../../workloads/template.ts";
import { blockedBy, failOverdue, failStep, stopAt } from "./decide-failure.ts";
import { finish, refuse, wait, type Decision } from "./decision.ts";
import { awaitsHolds } from "./holds.ts";
import { changedSteps, isUndo, type OpenStep } from "./journal.ts";
import { overdue, stopMessage } from "./limits.ts";
import type { Situation } from "./situation.ts";
import { stayingChanges, stepPrefix } from "./wording.ts";

/** Rights of an executor come back without an event of ours. */
const UNREADABLE_POLL_MS = 5_000;

/** What a restart changes of a template that had no annotations, or others, before. */
const RESTART_PATHS = new Set([
  "template.metadata.annotations",
  `template.metadata.annotations.${RESTARTED_AT}`,
]);

/** How long the plan of a later step waits for the object to come to rest. */
const REPLANNING_LIMIT_MS = 60_000;

/** What to do about the open step of a request that began to act. */
export function decideStep(situation: Situation, step: OpenStep, now: number): Decision {
  switch (step.status.state) {
    case "Pending":
      return decideNextStep(situation, step, now);
    case "Applying":
      return decideAct(situation, step, now);
    case "Applied":
      return decideProgress(situation, step, now);
    default:
      // Never stored without a final phase; a hand-edited status must not loop.
      return stopAt(situation, step, {
        reason: "StepFailed",
        message: "the step ended without an outcome",
      });
  }
}

/**
 * Before a later step its own plan is made again: only what was planned may be done. The way back of a step is bound to
 * what that one left, so nothing has to be compared.
 */
function decideNextStep(situation: Situation, step: OpenStep, now: number): Decision {
  const { replanned } = situation;
  const stopped = stopMessage(situation);
  if (stopped !== undefined) return stopAt(situation, step, { reason: "KillSwitch", message: stopped });
  const late = overdue(situation, step, now);
  if (late !== undefined) return failOverdue(situation, step, late);
  const blocked = blockedBy(situation, step);
  if (blocked !== undefined) return failStep(situation, step, blocked);
  if (replanned === undefined) return { kind: "Replan" };
  const { nothingToDo } = step.planned;
  if (
    nothingToDo !== undefined &&
    replanned.kind === "Planned" &&
    replanned.plan.changes.every((path) => RESTART_PATHS.has(path)) &&
    isRestartedBefore(situation.request, step)
  ) {
    // Its object differs by the restart that an earlier step brought about, since this one had nothing to do.
    return { kind: "SkipStep", message: nothingToDo, after: replanned.plan.from };
  }
  switch (replanned.kind) {
    case "Planned":
      return isUndo(step.status) || replanned.plan.digest === step.planned.digest
        ? { kind: "BeginStep", planned: replanned.plan }
        : failStep(situation, step, {
            reason: "Superseded",
            message: `${step.planned.object} is not what was planned with any more`,
          });
    case "NothingToDo":
      return { kind: "SkipStep", message: replanned.message };
    case "Refused":
      return failStep(situation, step, replanned);
    case "Superseded":
      return failStep(situation, step, { reason: "Superseded", message: replanned.message });
    case "Pending":
      return now - restSince(situation, step) >= REPLANNING_LIMIT_MS
        ? failStep(situation, step, {
            reason: "Stuck",
            message: `${replanned.message}, for longer than ${formatDuration(REPLANNING_LIMIT_MS)}`,
          })
        : wait(
            "Applying",
            "Applying",
            `${stepPrefix(situation.request, step.index)}${replanned.message}`,
            replanned.pollAfterMs,
          );
  }
}

function isRestartedBefore(request: Situation["request"], { planned }: OpenStep): boolean {
  return changedSteps(request).some((earlier) => earlier.planned.restarts?.includes(planned.object) === true);
}

/** When the step before this one ended, milliseconds since the epoch. */
function restSince({ request }: Situation, { index }: OpenStep): number {
  return Date.parse(request.status?.steps?.[index - 1]?.finishedAt ?? request.metadata.creationTimestamp);
}

function decideAct(situation: Situation, step: OpenStep, now: number): Decision {
  const { progress } = situation;
  const late = overdue(situation, step, now);
  const stopped = stopMessage(situation);
  // A try before a crash may have stored the change: where nothing more may be written, only looking tells.
  if (progress === undefined) {
    if (stopped !== undefined || late !== undefined) return { kind: "Observe" };
    return awaitsHolds(situation.request) ? decideHold(situation, step) : { kind: "Apply" };
  }
  if (progress.kind !== "Superseded") return decideProgress(situation, step, now);
  const unchanged = stayingChanges(situation.request) === "";
  if (stopped !== undefined) {
    return unchanged
      ? refuse("KillSwitch", stopped)
      : stopAt(situation, step, { reason: "KillSwitch", message: stopped });
  }
  if (late !== undefined) return failOverdue(situation, step, late);
  const superseded = { reason: "Superseded", message: progress.message };
  const next = failStep(situation, step, superseded);
  return unchanged && next.kind === "Finish"
    ? finish("Superseded", "Superseded", `${progress.message}; nothing was changed by this request`)
    : next;
}

/** Nothing is changed before the tools that would undo it stand still. */
function decideHold(situation: Situation, step: OpenStep): Decision {
  const { holding } = situation;
  switch (holding?.kind) {
    case undefined:
    case "Held":
      return { kind: "Hold" };
    case "Waiting":
      return wait("Applying", "Holding", holding.message, holding.pollAfterMs);
    case "Refused":
      return failStep(situation, step, {
        reason: "HoldFailed",
        message: `${holding.message}; nothing was changed by this request`,
      });
  }
}

function decideProgress(situation: Situation, step: OpenStep, now: number): Decision {
  const { progress, request } = situation;
  if (progress === undefined) return { kind: "Observe" };
  const after = unrecordedEnd(situation, step);
  if (after !== undefined) return { kind: "Record", after };
  const where = stepPrefix(request, step.index);
  switch (progress.kind) {
    case "Done":
      return { kind: "CompleteStep", progress };
    case "Failed":
      return failStep(situation, step, progress);
    case "Superseded":
      return failStep(situation, step, { reason: "Superseded", message: progress.message });
    case "InProgress":
    case "Unreadable":
      break;
  }
  const late = overdue(situation, step, now);
  if (late !== undefined) return failOverdue(situation, step, late);
  return progress.kind === "InProgress"
    ? advanceOrWait(situation, progress, where)
    : wait("Applying", "AccessDenied", `${where}${progress.message}`, UNREADABLE_POLL_MS);
}

/** Nothing more is written while the kill switch is on; what is stored goes on by itself as far as it can. */
function advanceOrWait(
  situation: Situation,
  progress: Extract<Progress, { kind: "InProgress" }>,
  where: string,
): Decision {
  const message = `${where}${progress.message}`;
  if (progress.needsAdvance !== true) return wait("Applying", "Applying", message, progress.pollAfterMs);
  const stopped = stopMessage(situation);
  if (stopped === undefined) return { kind: "Advance", progress };
  return wait("Applying", "KillSwitch", `${message}; ${stopped}`, progress.pollAfterMs);
}

/** What the change became, where ledger and journal do not hold it yet. */
export function unrecordedEnd({ progress }: Situation, { status }: OpenStep): StepEnd | undefined {
  if (progress === undefined || !("after" in progress)) return undefined;
  return status.after === undefined ? progress.after : undefined;
}
