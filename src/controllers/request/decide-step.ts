import type { Progress } from "../../actions/action.ts";
import { formatDuration } from "../../crds/duration.ts";
import type { StepEnd } from "../../crds/rollback-request.ts";
import { RESTARTED_AT } from "../../workloads/template.ts";
import { finish, refuse, wait, type Decision } from "./decision.ts";
import { changedSteps, type OpenStep } from "./journal.ts";
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
      return fail(situation, step, "StepFailed", "the step ended without an outcome");
  }
}

/** Before a later step its own plan is made again: only what was planned may be done. */
function decideNextStep(situation: Situation, step: OpenStep, now: number): Decision {
  const { replanned } = situation;
  const stopped = stopMessage(situation);
  if (stopped !== undefined) return fail(situation, step, "KillSwitch", stopped);
  const late = overdue(situation, step, now);
  if (late !== undefined) return late;
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
      return replanned.plan.digest === step.planned.digest
        ? { kind: "BeginStep", planned: replanned.plan }
        : fail(situation, step, "Superseded", `${step.planned.object} is not what was planned with any more`);
    case "NothingToDo":
      return { kind: "SkipStep", message: replanned.message };
    case "Refused":
      return fail(situation, step, replanned.reason, replanned.message);
    case "Superseded":
      return fail(situation, step, "Superseded", replanned.message);
    case "Pending":
      return now - restSince(situation, step) >= REPLANNING_LIMIT_MS
        ? fail(
            situation,
            step,
            "Stuck",
            `${replanned.message}, for longer than ${formatDuration(REPLANNING_LIMIT_MS)}`,
          )
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
    return stopped !== undefined || late !== undefined ? { kind: "Observe" } : { kind: "Apply" };
  }
  if (progress.kind !== "Superseded") return decideProgress(situation, step, now);
  const unchanged = stayingChanges(situation.request) === "";
  if (stopped !== undefined) {
    return unchanged ? refuse("KillSwitch", stopped) : fail(situation, step, "KillSwitch", stopped);
  }
  if (late !== undefined) return late;
  return unchanged
    ? finish("Superseded", "Superseded", `${progress.message}; nothing was changed by this request`)
    : fail(situation, step, "Superseded", progress.message);
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
      return fail(situation, step, progress.reason, progress.message);
    case "Superseded":
      return fail(situation, step, "Superseded", progress.message);
    case "InProgress":
      return overdue(situation, step, now) ?? advanceOrWait(situation, progress, where);
    case "Unreadable":
      return (
        overdue(situation, step, now) ??
        wait("Applying", "AccessDenied", `${where}${progress.message}`, UNREADABLE_POLL_MS)
      );
  }
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

function fail({ request }: Situation, step: OpenStep, reason: string, message: string): Decision {
  return finish("Failed", reason, `${stepPrefix(request, step.index)}${message}${stayingChanges(request)}`);
}
