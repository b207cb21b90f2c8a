import { createHash } from "node:crypto";
import { REQUEST_ANNOTATIONS } from "../../crds/annotations.ts";
import { parseDuration } from "../../crds/duration.ts";
import { cutText } from "../../kube/conditions.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { finish, wait, type ApprovedFact, type Decision, type Waiting } from "./decision.ts";
import { approvedPlan, denial } from "./phase.ts";
import type { RequestPlan } from "./situation.ts";
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
  return now < expiryOf(request, waitingOf(request, undefined, now)) ? undefined : expired(request);
}

/** Whether this plan may be carried out. Pure. */
export function approvalOf(request: RollbackRequest, plan: RequestPlan, now: number): Approval {
  const { approval, runAfter } = request.spec;
  if (approval !== "Required") return { kind: "NotNeeded" };
  const given = approvedPlan(request);
  if (given?.digest === plan.digest) {
    const message = `approved by ${nameOr(given.by)}: plan ${plan.digest}`;
    return { kind: "Given", approved: { status: "True", reason: "Approved", message } };
  }
  const waiting = waitingOf(request, plan, now);
  // Long after its time nobody expects it to run any more.
  if (now >= expiryOf(request, waiting)) return { kind: "Missing", decision: expired(request) };
  if (now >= runTimeOf(request, waiting)) {
    const message = `nobody denied plan ${plan.digest} within ${runAfter}`;
    return { kind: "Given", approved: { status: "True", reason: "NotDenied", message } };
  }
  return { kind: "Missing", decision: waitFor(request, plan, waiting, now) };
}

/** A waiting request goes on with the plan that it has shown, while it cannot be made again. */
export function waitOn({ status }: RollbackRequest, afterMs: number): Decision {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return wait("AwaitingApproval", "AwaitingApproval", ready?.message ?? "", afterMs);
}

function waitFor(request: RollbackRequest, plan: RequestPlan, waiting: Waiting, now: number): Decision {
  const { metadata, spec } = request;
  const [expiresAt, runsAt] = [expiryOf(request, waiting), runTimeOf(request, waiting)];
  const given = approvedPlan(request);
  const flag = `-n ${metadata.namespace}`;
  const until =
    runsAt < expiresAt
      ? `runs at ${utc(runsAt)} unless it is denied`
      : `waits for approval until ${utc(expiresAt)}`;
  const changed =
    given === undefined
      ? ""
      : `plan ${given.digest}, which ${nameOr(given.by)} approved, is not the plan any more: `;
  const how =
    `"kubectl-rollback approve ${metadata.name} ${flag}" (or deny), or ` +
    `"kubectl annotate rbr ${metadata.name} ${flag} --overwrite ${REQUEST_ANNOTATIONS.approve}=${plan.digest} ${REQUEST_ANNOTATIONS.approvedBy}=YOU"`;
  const message = `${changed}${until}: ${planSentence(plan)}; ${how}`;
  const approved: ApprovedFact =
    given === undefined
      ? { status: "Unknown", reason: "AwaitingApproval", message: `plan ${plan.digest} waits for approval` }
      : { status: "False", reason: "PlanChanged", message: `${changed}the plan is ${plan.digest} now` };
  const next = Math.min(expiresAt, spec.runAfter === undefined ? Infinity : runsAt, now + paceOf(request));
  const afterMs = Math.max(0, next - now);
  return { ...wait("AwaitingApproval", "AwaitingApproval", message, afterMs), waiting, approved };
}

/** Since when it waits, and with this plan. A plan that nobody has seen yet is shown now. */
function waitingOf({ status }: RollbackRequest, plan: RequestPlan | undefined, now: number): Waiting {
  const { planned, replanned } = status?.timeline ?? {};
  const since = planned === undefined ? now : Date.parse(planned);
  const isAnother = plan !== undefined && status?.plan !== undefined && status.plan.digest !== plan.digest;
  const shownAt = isAnother ? now : replanned === undefined ? since : Date.parse(replanned);
  return { since, shownAt };
}

function expiryOf({ spec }: RollbackRequest, { since }: Waiting): number {
  return since + parseDuration(spec.expiresAfter);
}

/** Silence is consent to the plan that was shown: another one begins the time anew. */
function runTimeOf({ spec }: RollbackRequest, { shownAt }: Waiting): number {
  return spec.runAfter === undefined ? Infinity : shownAt + parseDuration(spec.runAfter);
}

/** When a waiting request expires, and when it runs by itself, ms since the epoch; undefined before it shows a plan. */
export function answerTimes(
  request: RollbackRequest,
): { readonly expiresAt: number; readonly runsAt: number } | undefined {
  if (request.status?.timeline?.planned === undefined) return undefined;
  const waiting = waitingOf(request, undefined, 0);
  return { expiresAt: expiryOf(request, waiting), runsAt: runTimeOf(request, waiting) };
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
