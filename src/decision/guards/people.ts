import type { Severity } from "../row.ts";
import { releaseHasSettled } from "./cause.ts";
import { noFreezeWindowIsOpen } from "./freeze.ts";
import type { ClusterView, GuardInput, GuardResult, LedgerView, OpenFreeze, PolicyView } from "./guard.ts";
import { clusterIsNotRollingBackTooMuch, cooldownIsOver, dailyBudgetIsLeft } from "./limits.ts";

/** What is looked at before a person rolls back; times are ms since the epoch. */
export interface PeopleInput {
  readonly now: number;
  readonly policy: Pick<PolicyView, "settleMs" | "cooldownMs" | "maxPerDay">;
  readonly severity: Severity | undefined;
  /** The live release, where its start is known. */
  readonly release: GuardInput["release"];
  readonly ledger: Pick<LedgerView, "automaticRollbacks">;
  readonly cluster: Pick<ClusterView, "automaticRollbacks" | "maxPerTenMinutes">;
  readonly openFreezes: readonly OpenFreeze[];
}

/** What would hold an automatic rollback back now; a person is told, and may act all the same. */
export function warningsForPeople(input: PeopleInput): readonly string[] {
  const { severity = "SEV4", ...facts } = input;
  const results: readonly GuardResult[] = [
    releaseHasSettled(facts),
    noFreezeWindowIsOpen({ ...facts, evaluation: { row: { severity } } }),
    cooldownIsOver(facts),
    dailyBudgetIsLeft(facts),
    clusterIsNotRollingBackTooMuch(facts),
  ];
  return results.flatMap((result) =>
    result.allowed ? [] : [`an automatic rollback would be held (${result.reason}): ${result.message}`],
  );
}
