import type { Condition } from "../../crds/common.ts";
import type { RollbackRequestStatus, StepStatus } from "../../crds/rollback-request.ts";
import {
  cutText,
  removeCondition,
  setCondition,
  type Condition as FullCondition,
} from "../../kube/conditions.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { Ending } from "./decide.ts";
import type { CheckState, Situation } from "./situation.ts";

/** What a request is doing, for its conditions. */
export interface Activity {
  readonly phase: NonNullable<RollbackRequestStatus["phase"]>;
  readonly reason: string;
  readonly message: string;
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
  const { reason, message } = activity;
  const conditions = edit(request, now)
    .set("Ready", "Unknown", reason, message)
    .set("Reconciling", "True", reason, message)
    .keep("Verified", "Unknown", "NotChecked", "nothing was verified yet")
    .remove("Stalled");
  return {
    ...request.status,
    ...facts,
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
  if (verified === undefined) editor.set("Verified", "Unknown", "NotChecked", "nothing was verified");
  else editor.set("Verified", verified.status, verified.reason, message);
  return {
    ...request.status,
    ...facts,
    observedGeneration: request.metadata.generation ?? 1,
    phase,
    conditions: editor.list(),
  };
}

/** The facts of a planned request that is about to act. */
export function announcedFacts(situation: Situation, now: number): Facts {
  const { resolution, plan } = situation;
  if (resolution.kind === "Refused" || plan?.kind !== "Planned") return {};
  const at = new Date(now).toISOString();
  return {
    ...acceptedFacts(situation, now),
    plan: { digest: plan.plan.digest, steps: [plan.plan] },
    progress: "0/1",
    steps: [{ name: plan.plan.name, state: "Applying", startedAt: at, before: plan.plan.from }],
    timeline: { ...acceptedFacts(situation, now).timeline, planned: at },
  };
}

/** The facts of a request that was accepted: all that must not change while it waits. */
export function acceptedFacts(situation: Situation, now: number): Facts {
  const { request, resolution, plan, automatic } = situation;
  const target = resolution.target;
  const named = target === undefined ? {} : { target: `${target.kind}/${target.name}` };
  const trigger = automatic?.trigger ?? claimOf(request);
  const facts: Facts = {
    ...named,
    progress: request.status?.progress ?? "0/1",
    ...(trigger === undefined ? {} : { trigger }),
    timeline: {
      ...request.status?.timeline,
      accepted: request.status?.timeline?.accepted ?? new Date(now).toISOString(),
      ...automaticTimes(situation),
    },
  };
  if (resolution.kind === "Refused") return facts;
  const from = request.status?.resolved?.from ?? (plan?.kind === "Planned" ? plan.plan.from : undefined);
  return {
    ...facts,
    resolved: {
      serviceAccountName: resolution.serviceAccountName,
      verification: { ...resolution.verification, checks: [...resolution.verification.checks] },
      ...(resolution.signals.length === 0 ? {} : { signals: [...resolution.signals] }),
      ...(resolution.policyUid === undefined ? {} : { policyUid: resolution.policyUid }),
      specDigest: resolution.specDigest,
      ...(from === undefined ? {} : { from }),
      automatic: automatic !== undefined,
    },
  };
}

/** The journal of the one step with some of its fields changed. */
export function stepFacts(request: RollbackRequest, change: Partial<StepStatus>): Pick<Facts, "steps"> {
  const [step] = request.status?.steps ?? [];
  if (step === undefined) return {};
  const message =
    change.message === undefined ? {} : { message: cutText(change.message, LONGEST_STEP_MESSAGE) };
  return { steps: [{ ...step, ...change, ...message }] };
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
