import { createHash } from "node:crypto";
import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import { answerTimes, waitingSince, type Waiting } from "../../decision/answer-times.ts";
import { cutText } from "../../kube/conditions.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { finish, wait, type ApprovedFact, type Decision } from "./decision.ts";
import { approvedPlan, denial } from "./phase.ts";
import type { RequestPlan, Situation } from "./situation.ts";
import { planSentence } from "./wording.ts";

export type Approval =
  | { readonly kind: "NotNeeded" }
  | { readonly kind: "Given"; readonly approved: ApprovedFact }
  /** Nothing is done: it waits, or it has waited too long. */
  | { readonly kind: "Missing"; readonly decision: Decision };

/** What others write is cut: the message has to be read, and to fit. */
const LONGEST_NAME = 256;
const LONGEST_REASON = 1_024;

/** How often the plan of a waiting request is made again when nothing wakes it. */
const PLAN_AGAIN_MS = 120_000;

/** How often a request that was to run by itself is looked at again while it may not. */
const CALL_AGAIN_MS = 15_000;

/** The end of a request that nobody will approve any more; undefined while somebody may, or has. */
export function endOfWaiting(request: RollbackRequest, now: number): Decision | undefined {
  const { spec } = request;
  if (spec.approval !== "Required" || spec.dryRun) return undefined;
  const denied = denial(request);
  if (denied !== undefined) {
    const why = denied.reason === "" ? "" : `: ${cutText(denied.reason, LONGEST_REASON)}`;
    return finish("Denied", "Denied", `denied by ${nameOr(denied.by)}${why}; nothing was changed`);
  }
  // An approval may have come in time, and the operator too late.
  if (approvedPlan(request) !== undefined) return undefined;
  const { expiresAt } = answerTimes(spec, waitingOf(request, undefined, now));
  return now < expiresAt ? undefined : expired(request);
}

/** Whether this plan may be carried out. Pure. */
export function approvalOf(situation: Situation, plan: RequestPlan, now: number): Approval {
  const { request } = situation;
  const { spec } = request;
  if (spec.approval !== "Required") return { kind: "NotNeeded" };
  const given = approvedPlan(request);
  if (given?.digest === plan.digest) {
    const message = `approved by ${nameOr(given.by)}: plan ${plan.digest}`;
    return { kind: "Given", approved: { status: "True", reason: "Approved", message } };
  }
  const waiting = waitingOf(request, plan, now);
  const { expiresAt, runsAt } = answerTimes(spec, waiting);
  // Long after its time nobody expects it to run any more.
  if (now >= expiresAt) return { kind: "Missing", decision: expired(request) };
  const isNeeded = isCalledFor(situation);
  if (now >= runsAt && isNeeded) {
    const message = `nobody denied plan ${plan.digest} within ${spec.runAfter}`;
    return { kind: "Given", approved: { status: "True", reason: "NotDenied", message } };
  }
  return { kind: "Missing", decision: waitFor(situation, plan, waiting, isNeeded, now) };
}

/** A waiting request goes on with the plan that it has shown, while it cannot be made again. */
export function waitOn({ status }: RollbackRequest, afterMs: number): Decision {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return wait("AwaitingApproval", "AwaitingApproval", ready?.message ?? "", afterMs);
}

/**
 * What runs by itself must still be called for: silence is no consent to roll back what has recovered, what nobody can see
 * any more, or what a guard would hold now. A person who asked for it knows why.
 */
function isCalledFor({ automatic, mayRunUnasked }: Situation): boolean {
  return automatic === undefined || mayRunUnasked;
}

/** The breach that the operator proposed to roll back for is over, as far as its policy tells. */
function hasRecovered({ automatic, policy }: Situation): boolean {
  const breached = policy?.status?.conditions?.find(({ type }) => type === "Breached");
  return automatic !== undefined && breached?.status === "False";
}

function waitFor(
  situation: Situation,
  plan: RequestPlan,
  waiting: Waiting,
  isNeeded: boolean,
  now: number,
): Decision {
  const { request } = situation;
  const { metadata, spec } = request;
  const { expiresAt, runsAt } = answerTimes(spec, waiting);
  const over = hasRecovered(situation) ? "no row of the policy fires any more; " : "";
  const given = approvedPlan(request);
  const flag = `-n ${metadata.namespace}`;
  const waits = `waits for approval until ${utc(expiresAt)}`;
  const late = runsAt <= now && !isNeeded;
  const until =
    runsAt >= expiresAt
      ? waits
      : late
        ? `does not run by itself, since the breach does not go on or a guard holds it (kubectl-rollback explain says which); ${waits}`
        : `runs at ${utc(runsAt)} unless it is denied`;
  const changed =
    given === undefined
      ? ""
      : `plan ${given.digest}, which ${nameOr(given.by)} approved, is not the plan any more: `;
  const how =
    `"kubectl-rollback approve ${metadata.name} ${flag}" (or deny), or ` +
    `"kubectl annotate rbr ${metadata.name} ${flag} --overwrite ${REQUEST_ANNOTATIONS.approve}=${plan.digest} ${REQUEST_ANNOTATIONS.approvedBy}=YOU"`;
  const message = `${over}${changed}${until}: ${planSentence(plan)}; ${how}`;
  const approved: ApprovedFact =
    given === undefined
      ? { status: "Unknown", reason: "AwaitingApproval", message: `plan ${plan.digest} waits for approval` }
      : { status: "False", reason: "PlanChanged", message: `${changed}the plan is ${plan.digest} now` };
  const next = Math.min(expiresAt, late ? now + CALL_AGAIN_MS : runsAt, now + paceOf(request));
  const afterMs = Math.max(0, next - now);
  return { ...wait("AwaitingApproval", "AwaitingApproval", message, afterMs), waiting, approved };
}

/** Since when it waits, and with this plan. A plan that nobody has seen yet is shown now. */
function waitingOf({ status }: RollbackRequest, plan: RequestPlan | undefined, now: number): Waiting {
  const waiting = waitingSince(status?.timeline) ?? { since: now, shownAt: now };
  const isAnother = plan !== undefined && status?.plan !== undefined && status.plan.digest !== plan.digest;
  return isAnother ? { ...waiting, shownAt: now } : waiting;
}

function expired({ spec }: RollbackRequest): Decision {
  return finish(
    "Expired",
    "Expired",
    `nobody approved it within ${spec.expiresAfter}; nothing was changed: make a new request if it is still wanted`,
  );
}

/** From 0.75 to 1.25 of the pace, the same for the same request: many do not plan at the same moment. */
function paceOf({ metadata }: RollbackRequest): number {
  const spread = createHash("sha256").update(metadata.uid).digest().readUInt16BE() / 2 ** 17;
  return PLAN_AGAIN_MS * (0.75 + spread);
}

function nameOr(by: string | undefined): string {
  return by === undefined ? "somebody who gave no name" : cutText(by, LONGEST_NAME);
}

function utc(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
