import type { CheckState } from "../../checks/soak-runs.ts";
import type { Condition } from "../../crds/common.ts";
import type { PlannedStep, RollbackRequestStatus, StepStatus } from "../../crds/rollback-request.ts";
import {
  cutText,
  removeCondition,
  setCondition,
  type Condition as FullCondition,
} from "../../kube/conditions.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { standsText } from "../holds/decide-hold.ts";
import type { ApprovedFact, Ending } from "./decision.ts";
import { announcedHolds } from "./holds.ts";
import { isDone, isUndo } from "./journal.ts";
import type { Resolution } from "./resolve.ts";
import type { Situation } from "./situation.ts";
import { withoutStepValues, type WrittenStep } from "./step-values.ts";

/** What a request is doing, for its conditions. */
export interface Activity {
  readonly phase: NonNullable<RollbackRequestStatus["phase"]>;
  readonly reason: string;
  readonly message: string;
  /** Condition Approved, where it is news. */
  readonly approved?: ApprovedFact | undefined;
}

/** What the schema allows; the API server refuses the whole status for one text that is too long. */
const LONGEST_STEP_MESSAGE = 2_048;
const LONGEST_CHECK_VALUE = 512;

type Facts = Omit<RollbackRequestStatus, "conditions" | "phase" | "observedGeneration">;

/**
 * Status of a request that still runs. `observedGeneration` stays behind until the end: it means "finished with this
 * generation", so that waiters wait (kstatus).
 */
export function runningStatus(
  request: RollbackRequest,
  facts: Facts,
  activity: Activity,
  now: number,
): RollbackRequestStatus {
  const { reason, message, approved } = activity;
  const conditions = edit(request, now)
    .set("Ready", "Unknown", reason, message)
    .set("Reconciling", "True", reason, message)
    .keep("Verified", "Unknown", "NotChecked", "nothing was verified yet")
    .remove("Stalled");
  if (approved !== undefined) conditions.set("Approved", approved.status, approved.reason, approved.message);
  return {
    ...request.status,
    ...facts,
    ...approvedTime(request, facts, approved, now),
    observedGeneration: request.status?.observedGeneration ?? -1,
    phase: activity.phase,
    conditions: conditions.list(),
  };
}

/** Status of a request that ended. Terminal failure is Stalled: Ready=False alone would read as "in progress". */
export function finalStatus(
  request: RollbackRequest,
  facts: Facts,
  ending: Ending,
  now: number,
): RollbackRequestStatus {
  const { phase, reason, message, verified } = ending;
  const ok = phase === "Succeeded";
  const editor = edit(request, now)
    .remove("Reconciling")
    .set("Ready", ok ? "True" : "False", reason, message);
  if (ok) editor.remove("Stalled");
  else editor.set("Stalled", "True", reason, message);
  // An answer that was not given will not be given any more.
  if (editor.status("Approved") === "Unknown" || phase === "Denied" || phase === "Expired")
    editor.set("Approved", "False", reason, message);
  if (verified === undefined) editor.set("Verified", "Unknown", "NotChecked", "nothing was verified");
  else editor.set("Verified", verified.status, verified.reason, message);
  const open = (facts.holds ?? request.status?.holds ?? []).filter(({ state }) => state === "Held");
  if (open.length > 0) {
    const texts = open.map((hold) => standsText(hold, request.metadata.name, "Unknown"));
    editor.set("Persisted", "Unknown", "NotCompared", texts.join("; "));
  }
  return {
    ...request.status,
    ...facts,
    observedGeneration: request.metadata.generation ?? 1,
    phase,
    conditions: editor.list(),
  };
}

/** When the approval that stands was first seen. */
function approvedTime(
  { status }: RollbackRequest,
  facts: Facts,
  approved: ApprovedFact | undefined,
  now: number,
): Pick<Facts, "timeline"> {
  if (approved === undefined) return {};
  const { approved: _, ...others } = { ...status?.timeline, ...facts.timeline };
  if (approved.status !== "True") return { timeline: others };
  const known = status?.conditions?.find(({ type }) => type === "Approved")?.status === "True";
  const at = known ? status?.timeline?.approved : undefined;
  return { timeline: { ...others, approved: at ?? new Date(now).toISOString() } };
}

/** The facts of a planned request that is about to act: its first step with anything to do is under way. */
export function announcedFacts(situation: Situation, now: number): Facts {
  const { resolution, plan } = situation;
  if (resolution.kind === "Refused" || plan?.kind !== "Planned") return {};
  const at = new Date(now).toISOString();
  const accepted = acceptedFacts(situation, now);
  const planned = plan.plan.steps;
  const first = planned.findIndex(({ nothingToDo }) => nothingToDo === undefined);
  const steps = planned.map((step, index): StepStatus => {
    if (index < first)
      return {
        name: step.name,
        state: "Skipped",
        message: cutText(step.nothingToDo ?? "", LONGEST_STEP_MESSAGE),
      };
    return index === first ? beganStep(step, at) : { name: step.name, state: "Pending" };
  });
  const holds = announcedHolds(plan.plan, at);
  return {
    ...accepted,
    progress: progressOf(steps),
    steps,
    ...(holds === undefined ? {} : { holds: [...holds] }),
    // Of a request that waited for its approval the first plan counts.
    timeline: { ...accepted.timeline, planned: accepted.timeline?.planned ?? at },
  };
}

/** The journal of a step whose act comes next. `at` is RFC 3339. */
export function beganStep(planned: PlannedStep, at: string): StepStatus {
  const before = planned.from === undefined ? {} : { before: planned.from };
  return { name: planned.name, state: "Applying", startedAt: at, ...before };
}

/** `2/3`: steps that are done, of all; `1/2 undone` once they are taken back. */
export function progressOf(steps: readonly StepStatus[]): string {
  const undos = steps.filter(isUndo);
  const counted = undos.length === 0 ? steps : undos;
  return `${counted.filter(isDone).length}/${counted.length}${undos.length === 0 ? "" : " undone"}`;
}

/** The facts of a request that was accepted: all that must not change while it waits. */
export function acceptedFacts(situation: Situation, now: number): Facts {
  const { request, resolution, plan, automatic } = situation;
  const trigger = automatic?.trigger ?? claimOf(request);
  const facts: Facts = {
    ...targetFacts(resolution),
    progress: request.status?.progress ?? `0/${resolution.kind === "Resolved" ? resolution.steps.length : 1}`,
    ...(trigger === undefined ? {} : { trigger }),
    timeline: {
      ...request.status?.timeline,
      accepted: request.status?.timeline?.accepted ?? new Date(now).toISOString(),
      ...automaticTimes(situation),
    },
  };
  if (resolution.kind === "Refused") return facts;
  const { policyTarget, signals, allowedImages, policyUid, written } = resolution;
  return {
    ...facts,
    ...(plan?.kind === "Planned" ? { plan: { ...plan.plan, steps: [...plan.plan.steps] } } : {}),
    resolved: {
      serviceAccountName: resolution.serviceAccountName,
      verification: { ...resolution.verification, checks: [...resolution.verification.checks] },
      ...(signals.length === 0 ? {} : { signals: [...signals] }),
      ...(allowedImages.length === 0 ? {} : { allowedImages: [...allowedImages] }),
      ...(policyUid === undefined ? {} : { policyUid }),
      ...(policyTarget === undefined ? {} : { target: { kind: policyTarget.kind, name: policyTarget.name } }),
      ...stepsOfPlan(request, written),
      specDigest: resolution.specDigest,
      ...(resolution.holdPolicy === undefined ? {} : { holdPolicy: resolution.holdPolicy }),
      automatic: automatic !== undefined,
    },
  };
}

/** A plan of the policy may be written anew; the steps of the spec never change. Once copied they stay as they are. */
function stepsOfPlan({ spec, status }: RollbackRequest, written: readonly WrittenStep[]) {
  if (spec.steps !== undefined) return {};
  return { steps: status?.resolved?.steps ?? withoutStepValues(written) };
}

/** `Deployment/web`, and how many more objects the steps write. */
function targetFacts(resolution: Resolution): Pick<Facts, "target"> {
  if (resolution.kind === "Refused") {
    const { target } = resolution;
    return target === undefined ? {} : { target: `${target.kind}/${target.name}` };
  }
  const objects = new Set(
    resolution.steps.filter(({ targets }) => targets.length > 0).map(({ action }) => action.object),
  );
  const [first = ""] = objects;
  return { target: objects.size > 1 ? `${first} +${objects.size - 1}` : first };
}

/** The journal of one step with some of its fields changed. */
export function stepFacts(
  request: RollbackRequest,
  index: number,
  change: Partial<StepStatus>,
): Pick<Facts, "steps" | "progress"> {
  const before = request.status?.steps ?? [];
  const step = before[index];
  if (step === undefined) return {};
  const message =
    change.message === undefined ? {} : { message: cutText(change.message, LONGEST_STEP_MESSAGE) };
  const steps = before.with(index, { ...step, ...change, ...message });
  return { steps, progress: progressOf(steps) };
}

export function timelineFacts(
  request: RollbackRequest,
  times: NonNullable<RollbackRequestStatus["timeline"]>,
): Pick<Facts, "timeline"> {
  return { timeline: { ...request.status?.timeline, ...times } };
}

export function checkFacts(checks: readonly CheckState[]): Pick<Facts, "checks"> {
  return {
    checks: checks.map(({ name, outcome, value, verdicts }) => ({
      name,
      outcome,
      value: cutText(value, LONGEST_CHECK_VALUE),
      samples: verdicts,
    })),
  };
}

function claimOf(request: RollbackRequest) {
  const { requestedBy } = request.spec;
  return requestedBy === undefined ? undefined : { claimedBy: requestedBy };
}

function automaticTimes({ automatic }: Situation) {
  if (automatic === undefined) return {};
  const { at, released, trigger } = automatic;
  return {
    decided: at,
    ...(released === undefined ? {} : { released }),
    ...(trigger.breachSince === undefined ? {} : { breached: trigger.breachSince }),
  };
}

/** Edits a condition list of one object in order; every condition speaks of the live generation. */
function edit(request: RollbackRequest, now: number) {
  const observedGeneration = request.metadata.generation ?? 1;
  let list = (request.status?.conditions ?? []) as readonly FullCondition[];
  const editor = {
    set(type: string, status: Condition["status"], reason: string, message: string) {
      list = setCondition(list, { type, status, reason, message, observedGeneration }, now);
      return editor;
    },
    keep(type: string, status: Condition["status"], reason: string, message: string) {
      return list.some((condition) => condition.type === type)
        ? editor
        : editor.set(type, status, reason, message);
    },
    status: (type: string) => list.find((condition) => condition.type === type)?.status,
    remove(type: string) {
      list = removeCondition(list, type);
      return editor;
    },
    list: (): Condition[] => [...list].sort((a, b) => order(a.type) - order(b.type)),
  };
  return editor;
}

/** Readers that stop at the first match must meet Stalled and Reconciling before Ready. */
function order(type: string): number {
  const index = ["Stalled", "Reconciling", "Ready"].indexOf(type);
  return index === -1 ? 3 : index;
}
