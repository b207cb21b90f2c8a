import { createHash } from "node:crypto";
import type { PlanResult } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { endText, planSentence } from "../request/wording.ts";
import { planOf } from "../request/plan-of-policy.ts";
import type { RequestPlan } from "../request/situation.ts";
import type { PolicyPorts } from "./ports.ts";

/** Would a rollback work right now, to what, and if not why not. */
export interface RollbackReadiness {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
  /** `revision 6`, for a column. */
  readonly target: string | undefined;
  /** Of the plan that was made. */
  readonly digest?: string;
  /** What it was asked about; another question makes it stale. */
  readonly question: string;
  /** When it was asked, ms since the epoch. */
  readonly askedAt: number;
  /** Bad answers in a row to this question, this one included. */
  readonly refusals: number;
  /** Whether a row that would roll back fired when it was asked. */
  readonly firing: boolean;
  /** How long a good answer to it holds, ms. */
  readonly goodForMs: number;
}

/** An answer before it is known how often it was given. */
export type ReadinessAnswer = Pick<RollbackReadiness, "ready" | "reason" | "message" | "target" | "digest">;

/** A good answer holds until something changes, or this long; longer among many. */
const GOOD_FOR_MS = 3_600_000;
const GOOD_FOR_AT_MOST_MS = 12 * GOOD_FOR_MS;
/** One plan is nine calls: asked so seldom, all policies together cost less than a call a second, ms. */
const PLAN_EVERY_MS = 14_000;
/** A first bad answer holds this long, and each further one to the same question twice as long as the one before. */
const BAD_FOR_MS = 30_000;
/** At most this long while a row that would roll back fires. */
const BAD_IN_A_BREACH_MS = 300_000;

/** How long a good answer holds among so many policies, ms. */
export function goodFor(policies: number): number {
  return Math.min(Math.max(GOOD_FOR_MS, policies * PLAN_EVERY_MS), GOOD_FOR_AT_MOST_MS);
}

/**
 * Whether the answer still answers the question. Rights, and objects that a plan only mentions, are not watched, so a
 * bad answer is asked again, ever more seldom, and at once when a row begins to fire. Answers of many policies expire at
 * different times.
 */
export function isCurrent(
  readiness: RollbackReadiness | undefined,
  question: string,
  firing: boolean,
  now: number,
): boolean {
  if (readiness === undefined || readiness.question !== question) return false;
  if (!readiness.ready && firing && !readiness.firing) return false;
  const age = now - readiness.askedAt;
  // An answer from the future was made before the clock was set back.
  return age >= 0 && age < lifeOf(readiness);
}

/** From `now` until the answer has to be asked again although nothing changed, ms. */
export function expiresIn(readiness: RollbackReadiness, now: number): number {
  return Math.max(0, readiness.askedAt + lifeOf(readiness) - now);
}

function lifeOf(readiness: RollbackReadiness): number {
  return holdsFor(readiness) * spreadOf(readiness.question);
}

function holdsFor({ ready, refusals, firing, goodForMs }: RollbackReadiness): number {
  if (ready) return goodForMs;
  return Math.min(BAD_FOR_MS * 2 ** (refusals - 1), firing ? BAD_IN_A_BREACH_MS : goodForMs);
}

/** From 0.75 to 1.25, the same for the same question. */
function spreadOf(question: string): number {
  return 0.75 + createHash("sha256").update(question).digest().readUInt16BE() / 2 ** 17;
}

/** The answer with what decides how long it holds. `before` is the answer that it replaces. */
export function countReadiness(
  answer: ReadinessAnswer,
  asked: Pick<RollbackReadiness, "question" | "firing" | "askedAt" | "goodForMs">,
  before: RollbackReadiness | undefined,
): RollbackReadiness {
  const isAgain =
    before !== undefined && before.question === asked.question && before.firing === asked.firing;
  const refusals = answer.ready ? 0 : (isAgain ? before.refusals : 0) + 1;
  return { ...answer, ...asked, refusals };
}

/** Makes the very plan that an automatic request by this plan of the policy would make, dry run included. Throws KubeError. */
export async function askReadiness(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  ledger: RollbackLedgerSpec | undefined,
  plan: string,
  signal: AbortSignal,
): Promise<ReadinessAnswer> {
  if (policy.spec.serviceAccountName === undefined) {
    const message =
      "the policy may not act: set spec.serviceAccountName to a ServiceAccount of its namespace";
    return { ready: false, reason: "ExecutorNotSet", message, target: undefined };
  }
  return answerOf(await planOf(ports, policy, plan, ledger, signal), policy);
}

function answerOf(result: PlanResult<RequestPlan>, { spec }: RollbackPolicy): ReadinessAnswer {
  switch (result.kind) {
    case "Planned": {
      const { digest, steps } = result.plan;
      const [only] = steps;
      const what =
        steps.length === 1 && only?.action === "workload"
          ? `would go back to ${endText(only.to ?? {})}`
          : `would do: ${planSentence(result.plan)}`;
      const warnings = steps.flatMap((step) => step.warnings);
      const message = [what, ...warnings].join("; ");
      return { ready: true, reason: "Planned", message, target: targetOf(steps, spec), digest };
    }
    case "Refused":
      return { ready: false, reason: result.reason, message: result.message, target: undefined };
    case "NothingToDo":
      return { ready: false, reason: "NothingToDo", message: result.message, target: undefined };
    case "Superseded":
    case "Pending":
      return { ready: false, reason: "Reconciling", message: result.message, target: undefined };
  }
}

/** Where the plan takes the policy's own workload, for a column. */
function targetOf(steps: readonly PlannedStep[], { target }: RollbackPolicy["spec"]): string | undefined {
  const revision = steps.find(({ object }) => object === `${target.kind}/${target.name}`)?.to?.revision;
  return revision === undefined ? undefined : `revision ${revision}`;
}
