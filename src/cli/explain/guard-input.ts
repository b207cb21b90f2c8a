import { annotated, frozenBy, hotfixEta } from "../../controllers/policy/annotations.ts";
import { toldBreach } from "../../controllers/policy/breach-condition.ts";
import { viewLedger } from "../../controllers/policy/ledger-view.ts";
import { recentlyActed } from "../../controllers/policy/recent-rollbacks.ts";
import type { PolicyRules } from "../../controllers/policy/rules.ts";
import type { Attribution } from "../../decision/attribution/attribute.ts";
import type { GuardInput } from "../../decision/guards/guard.ts";
import type { RowEvaluation } from "../../decision/matrix.ts";
import type { Row } from "../../decision/row.ts";
import { WHOLE } from "../../decision/sample.ts";
import { clockTime } from "../../decision/sentence.ts";
import { emptyWindow } from "../../decision/window.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { must, NotKnown } from "./seen.ts";
import type { Snapshot } from "./snapshot.ts";
import { destination, liveRelease } from "./target.ts";

/** A row that fires, as far as the status tells. */
export interface FiringRow {
  readonly row: Row;
  /** First breach of the run, ms since the epoch. */
  readonly since: number;
}

/**
 * What the guards look at, as far as it is known here. A member that is not known throws NotKnown when a guard asks for it:
 * so the guards are the operator's own, and what they cannot answer is unknown and not guessed.
 */
export function guardInput(
  snapshot: Snapshot,
  rules: PolicyRules,
  firing: FiringRow | undefined,
  intent: GuardInput["intent"],
): GuardInput {
  const { now, policy } = snapshot;
  const planName = firing?.row.plan ?? rules.plans[0]?.name;
  const plan = rules.plans.find(({ name }) => name === planName);
  if (plan === undefined) throw new Error(`policy ${policy.metadata.name} has no plan ${planName}`);
  return {
    now,
    intent,
    plan,
    policy: rules.view,
    openFreezes: rules.freeze.openAt(now),
    // The latest that it can be: the guard that asks is allowed by an earlier time if it is by this one.
    watchingSince: now,
    get killSwitch() {
      return must(snapshot.killSwitch).kind;
    },
    get evaluation() {
      return evaluationOf(needed(firing), now);
    },
    get onset() {
      return needed(firing).since;
    },
    get attribution() {
      return toldAttribution(needed(firing), snapshot);
    },
    get release() {
      return liveRelease(snapshot);
    },
    get rollbackTarget() {
      return destination(snapshot);
    },
    get ledger() {
      const requests = (name: string) =>
        must(snapshot.requests).find(({ metadata }) => metadata.name === name);
      return viewLedger(must(snapshot.ledger), liveRelease(snapshot), requests, now, rules.plans[0]?.name);
    },
    cluster: clusterOf(snapshot),
    get frozenBy() {
      return frozenNow(snapshot);
    },
    get hotfixEta() {
      return hotfixEta(annotated(policy, must(snapshot.deployment)));
    },
  };
}

/** The object that is frozen. Throws NotKnown where the other one is not seen and this one is not. */
export function frozenNow({ policy, deployment }: Snapshot): string | undefined {
  return frozenBy(annotated(policy, undefined)) ?? frozenBy(annotated(policy, must(deployment)));
}

function needed(firing: FiringRow | undefined): FiringRow {
  if (firing === undefined) throw new NotKnown({ kind: "NeedsRow" });
  return firing;
}

function evaluationOf({ row, since }: FiringRow, now: number): RowEvaluation {
  return {
    row,
    part: WHOLE,
    at: now,
    get sample(): RowEvaluation["sample"] {
      throw new NotKnown({ kind: "Memory", why: "the newest value" });
    },
    verdict: "Breach",
    window: { ...emptyWindow(), lastAt: now, run: { since, lastBreachAt: now }, onset: since },
    fires: true,
  };
}

const VERDICTS: readonly Attribution["verdict"][] = ["Caused", "Likely", "Unlikely", "Unknown"];

/** What the operator found out about this breach when it decided on it. */
function toldAttribution({ row, since }: FiringRow, { policy, now }: Snapshot): Attribution {
  const { lastDecision } = policy.status ?? {};
  const at = Date.parse(lastDecision?.at ?? "");
  const isOfBreach = lastDecision?.row === row.name && at >= since;
  const verdict = VERDICTS.find((each) => each === lastDecision?.attribution);
  if (!isOfBreach || verdict === undefined) {
    throw new NotKnown({
      kind: "Memory",
      why: "whether the last release did it is looked into when a row fires",
    });
  }
  return {
    verdict,
    reason: `found at ${clockTime(at, now)}, see the last decision`,
  };
}

/** Of all targets, where this user may see them all. */
function clusterOf(snapshot: Snapshot): GuardInput["cluster"] {
  const { now, config, ledgers, policies, policy } = snapshot;
  return {
    get automaticRollbacks() {
      const recent = must(ledgers).flatMap(({ spec }) => recentlyActed(spec, now));
      return [...new Map(recent).values()];
    },
    get maxPerTenMinutes() {
      return must(config).limits.automaticRollbacksPer10Minutes;
    },
    get otherOnsets() {
      return must(policies)
        .filter(({ metadata }) => metadata.uid !== policy.metadata.uid)
        .flatMap((other) => onsetOf(other, now));
    },
    get sharedBreachTargets() {
      return must(config).limits.sharedBreachTargets;
    },
  };
}

/** When the breach of a policy began, where a row breaches that would act. */
function onsetOf({ status }: RollbackPolicy, now: number): readonly number[] {
  const told = toldBreach(status, now);
  if (told.kind !== "Firing" && told.kind !== "Pending") return [];
  const action = status?.matrix?.find(({ name }) => name === told.row)?.action;
  return action === "Rollback" || action === "Propose" ? [told.since] : [];
}
