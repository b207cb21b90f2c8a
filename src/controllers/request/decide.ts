import type { Progress } from "../../actions/action.ts";
import type { WorkloadPlan } from "../../actions/workload/index.ts";
import { formatDuration, parseDuration } from "../../crds/duration.ts";
import type { Phase, RevisionRef } from "../../crds/rollback-request.ts";
import { FINALIZER, isAbortAsked, isFinished, journalOf } from "./phase.ts";
import type { Situation } from "./situation.ts";

/** How a request ends. */
export interface Ending {
  readonly phase: Extract<Phase, "Succeeded" | "Failed" | "Superseded" | "Aborted">;
  readonly reason: string;
  readonly message: string;
  /** Condition Verified, where something was verified or could have been. */
  readonly verified?: { readonly status: "True" | "False" | "Unknown"; readonly reason: string };
}

/** The one next thing to do. Acting code has no opinions: all of them are here. */
export type Decision =
  | { readonly kind: "Rest" }
  | { readonly kind: "CleanUp" }
  | { readonly kind: "Plan" }
  | { readonly kind: "TakeLock" }
  | { readonly kind: "Announce"; readonly plan: WorkloadPlan }
  | { readonly kind: "Apply" }
  | { readonly kind: "Observe" }
  /** What the change became is known now: into ledger and journal with it. */
  | { readonly kind: "Record"; readonly after: RevisionRef }
  | { readonly kind: "CompleteStep"; readonly progress: Extract<Progress, { kind: "Done" }> }
  | { readonly kind: "Verify" }
  | {
      readonly kind: "Wait";
      readonly phase: Extract<Phase, "Pending" | "Planning" | "Applying" | "Verifying">;
      readonly reason: string;
      readonly message: string;
      readonly afterMs: number;
    }
  | { readonly kind: "Finish"; readonly ending: Ending };

/** Waiting requests are woken when the holder ends; this only bounds a lost wake-up. */
const LOCK_POLL_MS = 5_000;

/** How long a first plan waits for the workload's own controller to catch up with the newest change. */
const PLANNING_LIMIT_MS = 60_000;

/** Rights of an executor come back without an event of ours. */
const UNREADABLE_POLL_MS = 5_000;

/** The workload's controller numbers a change within milliseconds. */
const NUMBERING_POLL_MS = 250;

/** What to do next: pure and total over everything that is known. `now` is milliseconds since the epoch. */
export function decide(situation: Situation, now: number): Decision {
  const { request } = situation;
  if (isFinished(request)) {
    return (request.metadata.finalizers ?? []).includes(FINALIZER) ? { kind: "CleanUp" } : { kind: "Rest" };
  }
  const state = journalOf(request);
  if (state !== "Pending" && !hasPlan(request)) {
    // Only a status that somebody else wrote looks like this; there is nothing to go by any more.
    return finish("Failed", "StepFailed", "the plan is missing from the status: was it edited by hand?");
  }
  if (isAbortAsked(request)) return decideAbort(situation, now);
  switch (state) {
    case "Pending":
      return decideBeforeAct(situation, now);
    case "Applying":
      return decideAct(situation, now);
    case "Applied":
      return decideProgress(situation, now);
    case "Succeeded":
      return decideVerification(situation, now);
    case "Failed":
    case "Superseded":
      // Never stored without a final phase; a hand-edited status must not loop.
      return finish("Failed", "StepFailed", "the step ended without an outcome");
  }
}

function hasPlan(request: Situation["request"]): boolean {
  const plan = request.status?.plan?.steps[0];
  return plan?.from !== undefined && plan.to !== undefined;
}

function decideBeforeAct(situation: Situation, now: number): Decision {
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
  if (lock.kind === "Busy") {
    const { namespace, name } = lock.holder;
    return wait(
      "Pending",
      "TargetBusy",
      `waits for RollbackRequest ${namespace}/${name} on the same target`,
      LOCK_POLL_MS,
    );
  }
  return { kind: "Announce", plan: plan.plan };
}

/** A request that waited for its turn was planned before: its age says nothing of the workload's controller. */
function isPlanningTooLong(request: Situation["request"], now: number): boolean {
  const wasPlanned = request.status?.resolved?.from !== undefined;
  return !wasPlanned && now - Date.parse(request.metadata.creationTimestamp) >= PLANNING_LIMIT_MS;
}

/** Why nothing may be written. A switch that cannot be read stops only what the operator does by itself. */
function stopMessage({ killSwitch, automatic }: Situation): string | undefined {
  switch (killSwitch.kind) {
    case "Off":
      return undefined;
    case "On":
      return killSwitch.message;
    case "Unreadable":
      return automatic === undefined ? undefined : killSwitch.message;
  }
}

function decideAct(situation: Situation, now: number): Decision {
  const { progress } = situation;
  const late = overdue(situation, now);
  const stopped = stopMessage(situation);
  // A try before a crash may have stored the change: where nothing more may be written, only looking tells.
  if (progress === undefined) {
    return stopped !== undefined || late !== undefined ? { kind: "Observe" } : { kind: "Apply" };
  }
  if (progress.kind !== "Superseded") return decideProgress(situation, now);
  if (stopped !== undefined) return refuse("KillSwitch", stopped);
  return (
    late ?? finish("Superseded", "Superseded", `${progress.message}; nothing was changed by this request`)
  );
}

function decideProgress(situation: Situation, now: number): Decision {
  const { progress } = situation;
  if (progress === undefined) return { kind: "Observe" };
  const after = unrecordedProduct(situation);
  if (after !== undefined) return { kind: "Record", after };
  switch (progress.kind) {
    case "Done":
      return { kind: "CompleteStep", progress };
    case "Failed":
      return finish("Failed", progress.reason, progress.message);
    case "Superseded":
      return finish("Failed", "Superseded", progress.message);
    case "InProgress":
      return overdue(situation, now) ?? wait("Applying", "Applying", progress.message, progress.pollAfterMs);
    case "Unreadable":
      return (
        overdue(situation, now) ?? wait("Applying", "AccessDenied", progress.message, UNREADABLE_POLL_MS)
      );
  }
}

/** What the change became, where ledger and journal do not hold it yet. */
function unrecordedProduct({ progress, request }: Situation): RevisionRef | undefined {
  if (progress === undefined || !("after" in progress)) return undefined;
  return request.status?.steps?.[0]?.after === undefined ? progress.after : undefined;
}

/** A step that takes longer than it may. */
function overdue({ request, resolution, progress }: Situation, now: number): Decision | undefined {
  const startedAt = request.status?.steps?.[0]?.startedAt;
  if (startedAt === undefined || resolution.kind === "Refused") return undefined;
  const doing =
    progress?.kind === "InProgress" || progress?.kind === "Unreadable" ? `: ${progress.message}` : "";
  const elapsed = now - Date.parse(startedAt);
  const deadline = parseDuration(request.spec.deadline);
  const timeout = parseDuration(resolution.step.timeout);
  if (elapsed < Math.min(deadline, timeout)) return undefined;
  return deadline <= timeout
    ? finish("Failed", "DeadlineExceeded", `the deadline of ${formatDuration(deadline)} passed${doing}`)
    : finish(
        "Failed",
        "Stuck",
        `the step took longer than its timeout of ${formatDuration(timeout)}${doing}`,
      );
}

function decideVerification({ request, progress, verification }: Situation, now: number): Decision {
  // Checks of another version than the restored one would prove nothing, whatever they say.
  if (progress === undefined) return { kind: "Observe" };
  if (progress.kind === "Superseded") return finish("Failed", "Superseded", progress.message);
  if (verification === undefined) return { kind: "Verify" };
  const { checks } = verification;
  const after = request.status?.steps?.[0]?.after;
  const back = after === undefined ? "rolled back" : `rolled back to ${revisionText(after)}`;
  const failed = checks.filter(({ outcome }) => outcome === "Failed");
  if (failed.length > 0) {
    const why = failed.map(({ name, value }) => `${name} ${value}`).join(", ");
    return {
      kind: "Finish",
      ending: {
        phase: "Failed",
        reason: "VerificationFailed",
        message: `${back}, but it did not help: ${why}`,
        verified: { status: "False", reason: "Failed" },
      },
    };
  }
  if (checks.some(({ outcome }) => outcome === "Pending")) {
    const names = checks.map(({ name }) => name).join(", ");
    const until = new Date(verification.endAt).toISOString().slice(11, 19);
    return wait(
      "Verifying",
      "Verifying",
      `${back}; verifying until ${until}: ${names}`,
      Math.max(0, verification.nextAt - now),
    );
  }
  const unclear = checks.filter(({ outcome }) => outcome === "Inconclusive");
  if (unclear.length > 0) {
    const why = unclear.map(({ name, value }) => `${name} (${value})`).join(", ");
    return {
      kind: "Finish",
      ending: {
        phase: "Succeeded",
        reason: "RolledBack",
        message: `${back}; not verified, data was missing: ${why}`,
        verified: { status: "Unknown", reason: "Inconclusive" },
      },
    };
  }
  const proof = checks.map(({ name, value }) => `${name} ${value}`).join(", ");
  return {
    kind: "Finish",
    ending: {
      phase: "Succeeded",
      reason: "RolledBack",
      message: checks.length === 0 ? `${back}; no check was asked for` : `${back} and verified: ${proof}`,
      verified:
        checks.length === 0
          ? { status: "Unknown", reason: "NoChecks" }
          : { status: "True", reason: "Passed" },
    },
  };
}

/**
 * Abort undoes nothing by itself; it says truly what was done. What was stored is recorded first, or the next request
 * would take the restored version for a release and go forward again.
 */
function decideAbort(situation: Situation, now: number): Decision {
  const { request, progress } = situation;
  const state = journalOf(request);
  const by = request.metadata.deletionTimestamp === undefined ? "aborted" : "aborted by its deletion";
  if (state === "Pending") return finish("Aborted", "Aborted", `${by} before anything was changed`);
  if (state !== "Succeeded") {
    if (progress === undefined) return { kind: "Observe" };
    const after = unrecordedProduct(situation);
    if (after !== undefined) return { kind: "Record", after };
    if (isUnnumbered(situation) && overdue(situation, now) === undefined) {
      const message = `${by}; waits until the change, which stays, has its revision number`;
      return wait("Applying", "Aborted", message, NUMBERING_POLL_MS);
    }
    if (progress.kind === "Unreadable") {
      const message = `${by}; whether the change was stored is not known: ${progress.message}`;
      return finish("Aborted", "Aborted", message);
    }
  }
  const stored = state === "Succeeded" || state === "Applied" || progress?.kind !== "Superseded";
  return finish(
    "Aborted",
    "Aborted",
    stored
      ? `${by} after the change was stored, which stays; abort undoes nothing`
      : `${by} before anything was changed`,
  );
}

/** The change is stored, but the workload's controller has not taken it up yet. */
function isUnnumbered({ progress, request }: Situation): boolean {
  const known = request.status?.steps?.[0]?.after !== undefined;
  return progress?.kind === "InProgress" && progress.after === undefined && !known;
}

function replay(twin: NonNullable<Situation["twin"]>): Decision {
  const phase = twin.outcome === "Started" ? "Failed" : twin.outcome;
  const how = twin.outcome === "Started" ? "its outcome was never recorded" : `ended ${twin.outcome}`;
  return finish(
    phase,
    "AlreadyExecuted",
    `a request of this name and spec ran at ${twin.at} as ${twin.uid} and ${how}; nothing done now; use a new name`,
  );
}

/** `revision 8 (web:v2) -> revision 7 (web:v1)`. */
export function planSentence(plan: Pick<WorkloadPlan, "object" | "from" | "to">): string {
  return `${plan.object} ${revisionText(plan.from)} -> ${revisionText(plan.to)}`;
}

export function revisionText(ref: WorkloadPlan["from"]): string {
  return `revision ${ref.revision} (${ref.images.join(", ")})`;
}

function refuse(reason: string, message: string): Decision {
  return finish("Failed", reason, `refused, nothing was changed: ${message}`);
}

function finish(phase: Ending["phase"], reason: string, message: string): Decision {
  return { kind: "Finish", ending: { phase, reason, message } };
}

function wait(
  phase: Extract<Decision, { kind: "Wait" }>["phase"],
  reason: string,
  message: string,
  afterMs: number,
): Decision {
  return { kind: "Wait", phase, reason, message, afterMs };
}
