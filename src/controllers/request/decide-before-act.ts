import { POLICY_ANNOTATIONS } from "../../crds/annotations.ts";
import { formatDuration } from "../../crds/duration.ts";
import { approvalOf, endOfWaiting, waitOn } from "./approval.ts";
import { decidedOn, ledgerOf } from "./ledgers.ts";
import { finish, refuse, wait, type Decision, type Failure } from "./decision.ts";
import { stopMessage } from "./limits.ts";
import { gitOpsOwner } from "../../gitops/owner.ts";
import type { Resolved } from "./resolve.ts";
import type { Situation } from "./situation.ts";
import { isFinisher, type LockState } from "./target-lock.ts";
import { planSentence } from "./wording.ts";

/** Waiting requests are woken when the holder ends; this only bounds a lost wake-up. */
const LOCK_POLL_MS = 5_000;

/** Its end wakes nobody, and it is soon. */
const FINISHER_POLL_MS = 250;

/** How long a first plan waits for the workload's own controller to catch up with the newest change. */
const PLANNING_LIMIT_MS = 60_000;

/** Until the first announcement: nothing was changed, whatever the end. */
export function decideBeforeAct(situation: Situation, now: number): Decision {
  const { request, twin, plan, lock, killSwitch } = situation;
  if (twin !== undefined) return replay(twin);
  const senseless = senselessBecause(situation);
  if (senseless !== undefined) return refuse(senseless.reason, senseless.message);
  const over = endOfWaiting(request, now) ?? overtaken(situation);
  if (over !== undefined) return over;
  const stopped = stopMessage(situation);
  // Waiting is no act: only a switch that is known to be on ends it.
  const mayWait = request.spec.approval === "Required" && killSwitch.kind === "Unreadable";
  if (stopped !== undefined && !mayWait) return refuse("KillSwitch", stopped);
  const frozen = freezeMessage(situation);
  if (frozen !== undefined) return refuse("Frozen", frozen);
  if (plan === undefined) return { kind: "Plan" };
  switch (plan.kind) {
    case "Pending":
      if (request.status?.phase === "AwaitingApproval") return waitOn(request, plan.pollAfterMs);
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
  const approval = approvalOf(situation, plan.plan, now);
  if (approval.kind === "Missing") return approval.decision;
  const approved = approval.kind === "Given" ? approval.approved : undefined;
  if (stopped !== undefined) return { ...wait("Pending", "KillSwitch", stopped, LOCK_POLL_MS), approved };
  if (lock === undefined) return { kind: "TakeLock" };
  if (lock.kind === "Busy") return { ...waitForTurn(lock), approved };
  return { kind: "Announce", plan: plan.plan, approved };
}

/**
 * What lies in Git is applied again to a cluster that is made anew, where no ledger knows that it ran: then the state that
 * it was made for must tell.
 */
function unexpecting({ request }: Situation, { steps }: Resolved): Failure | undefined {
  const owner = gitOpsOwner(request);
  const expects = request.spec.expect !== undefined || !steps.some(({ action }) => action.makesRelease);
  if (owner === undefined || expects) return undefined;
  const message = `it is applied by ${owner.tool} ${owner.owner}, which may apply it again when this release is long gone: say in spec.expect.podTemplateHash, under a new name, what is to go away (kubectl get pods --show-labels)`;
  return { reason: "ExpectRequired", message };
}

/** What is wrong with the request as it is written, whatever the world looks like. */
function senselessBecause(situation: Situation): Failure | undefined {
  const { resolution } = situation;
  return resolution.kind === "Refused" ? resolution : unexpecting(situation, resolution);
}

function waitForTurn({ holder }: Extract<LockState, { kind: "Busy" }>) {
  if (isFinisher(holder)) {
    const message = "waits until a temporary change of an earlier request on the same target is finished";
    return wait("Pending", "TargetBusy", message, FINISHER_POLL_MS);
  }
  const message = `waits for RollbackRequest ${holder.namespace}/${holder.name} on the same target`;
  return wait("Pending", "TargetBusy", message, LOCK_POLL_MS);
}

/** Somebody wants nothing to move; only a person, and only in an emergency, rolls back all the same. */
function freezeMessage({ request, automatic, frozenBy }: Situation): string | undefined {
  const isEmergency = automatic === undefined && request.spec.severity === "SEV1";
  if (frozenBy === undefined || isEmergency) return undefined;
  const what = `${frozenBy} has the annotation ${POLICY_ANNOTATIONS.freeze}`;
  return `${what}: remove it${automatic === undefined ? ", or ask again with severity SEV1" : ""}`;
}

/** The operator asked first, and has decided since that it must not wait for an answer. */
function overtaken({ request, resolution, ledgers, automatic }: Situation): Decision | undefined {
  if (automatic?.action !== "Propose" || resolution.kind === "Refused") return undefined;
  const entries = ledgerOf(ledgers, decidedOn(resolution))?.automatic ?? [];
  const own = entries.findIndex((entry) => entry.request === request.metadata.name);
  const later = entries
    .slice(own + 1)
    .find(
      ({ action, plan, trigger }) =>
        action !== "Propose" && plan === automatic.plan && trigger.policy === automatic.trigger.policy,
    );
  if (later === undefined) return undefined;
  const row = later.trigger.row === undefined ? "" : `, since row ${later.trigger.row} fired`;
  return finish(
    "Superseded",
    "Superseded",
    `RollbackRequest ${later.request} does without approval what this one asked for${row}; nothing was changed by this request`,
  );
}

/** A request that waited for its turn was planned before: its age says nothing of the workload's controller. */
function isPlanningTooLong(request: Situation["request"], now: number): boolean {
  const wasPlanned = request.status?.plan !== undefined;
  return !wasPlanned && now - Date.parse(request.metadata.creationTimestamp) >= PLANNING_LIMIT_MS;
}

function replay(twin: NonNullable<Situation["twin"]>): Decision {
  // Succeeded would say that the target is as it was asked for.
  const { overtakenBy } = twin;
  const phase =
    overtakenBy !== undefined ? "Superseded" : twin.outcome === "Started" ? "Failed" : twin.outcome;
  const since = overtakenBy === undefined ? "" : `; ${overtakenBy}`;
  const how = twin.outcome === "Started" ? "its outcome was never recorded" : `ended ${twin.outcome}`;
  return finish(
    phase,
    "AlreadyExecuted",
    `a request of this name and spec ran at ${twin.at} as ${twin.uid} and ${how}${since}; nothing done now; use a new name`,
  );
}
