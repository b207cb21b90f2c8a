import { clockTime, formatSpan } from "../sentence.ts";
import { ALLOWED, refused, type GuardInput, type GuardResult } from "./guard.ts";

/** How often automatic rollbacks may happen. */

const DAY_MS = 86_400_000;
const TEN_MINUTES_MS = 600_000;

/** Wait after a first attempt that ended before its act; doubled with each further one, up to the longest. */
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 1_800_000;

/** Of one plan: each may act once on a release. A rollback does not wait for the answer to a proposal. */
export function releaseWasNotRolledBackYet(input: GuardInput): GuardResult {
  const { ledger, plan, intent } = input;
  const requests = ledger.requestsOfRelease.filter((each) => each.plan === plan.name);
  const open = requests.find(({ state }) => state === "Open");
  if (open !== undefined) {
    return refused("TargetBusy", `request ${open.name} for this release is under way`);
  }
  const waiting = requests.find(({ state }) => state === "Waiting");
  if (waiting !== undefined && intent === "Propose") {
    return refused("TargetBusy", `request ${waiting.name} for this release waits for approval`);
  }
  const aborted = requests.find(({ state }) => state === "Aborted");
  if (aborted !== undefined) {
    return refused("Aborted", `request ${aborted.name} for this release was aborted: a person has to decide`);
  }
  const denied = requests.find(({ state }) => state === "Denied");
  if (denied !== undefined) {
    return refused("Denied", `request ${denied.name} for this release was denied: a person has decided`);
  }
  const expired = requests.find(
    ({ state, breachSince }) => state === "Expired" && breachSince === input.onset,
  );
  if (expired !== undefined && intent === "Propose") {
    return refused(
      "Expired",
      `request ${expired.name} for this breach expired without an answer: a person has to decide`,
    );
  }
  const applied = requests.find(({ state }) => state === "Applied");
  return applied === undefined
    ? ALLOWED
    : refused(
        "AlreadyExecuted",
        `request ${applied.name} has acted on this release; a release is rolled back automatically once`,
      );
}

/** What refused one attempt will most likely refuse the next: without a wait every tick would make a request. */
export function lastAttemptIsLongAgo({ ledger, plan, intent, now }: GuardInput): GuardResult {
  const ended = ledger.requestsOfRelease.filter(
    (each) => each.state === "EndedUnapplied" && each.plan === plan.name && each.action === intent,
  );
  const [last] = ended.toSorted((a, b) => b.at - a.at);
  if (last === undefined) {
    return ALLOWED;
  }
  const wait = Math.min(FIRST_RETRY_MS * 2 ** (ended.length - 1), LONGEST_RETRY_MS);
  const over = last.at + wait;
  return now < over
    ? refused(
        "Cooldown",
        `request ${last.name} ended before it changed anything: next attempt from ${clockTime(over, now)}`,
        over,
      )
    : ALLOWED;
}

/** What the limits look at; the same for a person, who is only told. */
interface OfTarget extends Pick<GuardInput, "now"> {
  readonly ledger: Pick<GuardInput["ledger"], "automaticRollbacks">;
  readonly policy: Pick<GuardInput["policy"], "cooldownMs" | "maxPerDay">;
}

interface OfCluster extends Pick<GuardInput, "now"> {
  readonly cluster: Pick<GuardInput["cluster"], "automaticRollbacks" | "maxPerTenMinutes">;
}

export function cooldownIsOver({ ledger, policy, now }: OfTarget): GuardResult {
  if (ledger.automaticRollbacks.length === 0) {
    return ALLOWED;
  }
  const last = Math.max(...ledger.automaticRollbacks);
  const over = last + policy.cooldownMs;
  return now < over
    ? refused(
        "Cooldown",
        `automatic rollback at ${clockTime(last, now)}, cool-down of ${formatSpan(policy.cooldownMs)}: allowed from ${clockTime(over, now)}`,
        over,
      )
    : ALLOWED;
}

export function dailyBudgetIsLeft({ ledger, policy, now }: OfTarget): GuardResult {
  return withinLimit({
    times: ledger.automaticRollbacks,
    now,
    spanMs: DAY_MS,
    limit: policy.maxPerDay,
    reason: "BudgetSpent",
    what: "automatic rollbacks of this target",
    limitName: "maxPerDay",
  });
}

export function clusterIsNotRollingBackTooMuch({ cluster, now }: OfCluster): GuardResult {
  return withinLimit({
    times: cluster.automaticRollbacks,
    now,
    spanMs: TEN_MINUTES_MS,
    limit: cluster.maxPerTenMinutes,
    reason: "BlastRadius",
    what: "automatic rollbacks in the cluster",
    limitName: "the administrator's limit",
  });
}

/** Onsets of one dependency's failure lie this close together, ms. */
const TOGETHER_MS = 120_000;

/** A dependency that fails must not roll back everything that needs it. */
export function breachIsNotShared({ cluster, onset }: GuardInput): GuardResult {
  const limit = cluster.sharedBreachTargets;
  if (limit <= 0) return ALLOWED;
  const together = cluster.otherOnsets.filter((other) => Math.abs(other - onset) <= TOGETHER_MS).length + 1;
  return together < limit
    ? ALLOWED
    : refused(
        "BlastRadius",
        `${together} targets began to breach within ${formatSpan(TOGETHER_MS)}, which looks like a shared dependency (the administrator's limit is ${limit}): a person has to decide`,
      );
}

interface Limit {
  readonly times: readonly number[];
  readonly now: number;
  readonly spanMs: number;
  readonly limit: number;
  readonly reason: "BudgetSpent" | "BlastRadius";
  readonly what: string;
  readonly limitName: string;
}

/** Allowed again when so many have left the span that fewer than `limit` remain; never when the limit is zero. */
function withinLimit({ times, now, spanMs, limit, reason, what, limitName }: Limit): GuardResult {
  const recent = times.filter((time) => now - time < spanMs).toSorted((a, b) => a - b);
  if (recent.length < limit) {
    return ALLOWED;
  }
  const blocking = recent[recent.length - limit];
  const used = `${recent.length} ${what} in the last ${formatSpan(spanMs)}, ${limitName} is ${limit}`;
  return limit <= 0 || blocking === undefined
    ? refused(reason, `${used}: none is allowed`)
    : refused(reason, `${used}: allowed from ${clockTime(blocking + spanMs, now)}`, blocking + spanMs);
}
