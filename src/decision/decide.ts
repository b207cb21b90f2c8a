import { attribute, type Attribution } from "./attribution/attribute.ts";
import { checkGuards } from "./guards/chain.ts";
import { releaseHasSettled } from "./guards/cause.ts";
import type { GuardInput, HoldReason } from "./guards/guard.ts";
import type { KnownGoodRevision } from "./known-good.ts";
import { strongestFirst, type RowEvaluation } from "./matrix.ts";
import type { Release } from "./release.ts";
import { automaticRequestName } from "./request-name.ts";
import type { Row } from "./row.ts";
import { breachSentence } from "./sentence.ts";
import { TOLERATED_GAP } from "./window.ts";

/** Everything a decision is made from: one snapshot. Times in ms since the epoch. */
export interface DecisionInput extends Omit<GuardInput, "evaluation" | "onset" | "attribution"> {
  readonly target: { readonly uid: string; readonly name: string };
  readonly evaluations: readonly RowEvaluation[];
}

export type Decision =
  | { readonly kind: "Quiet" }
  | ({ readonly kind: "Notify" } & Finding)
  | ({
      readonly kind: "Hold";
      readonly reason: HoldReason;
      readonly message: string;
      /** When the guard that holds it will allow it again, where known. */
      readonly retryAt: number | undefined;
    } & Finding)
  | ({
      readonly kind: "Rollback";
      readonly release: Release;
      readonly to: KnownGoodRevision;
      readonly attempt: number;
      readonly requestName: string;
    } & Finding);

/** The row that fired and what is known about its breach. */
export interface Finding {
  readonly row: Row;
  readonly value: number;
  readonly onset: number;
  readonly attribution: Attribution;
  /** One sentence for reasons, events and the history. */
  readonly sentence: string;
}

const QUIET: Decision = { kind: "Quiet" };

/**
 * What to do now: pure and total. The strongest firing row decides. Of several Rollback rows the first one that no
 * guard refuses acts, so that a row that was breaching before the release does not hide one that the release broke;
 * when all are refused, the first one's refusal is shown.
 */
export function decide(input: DecisionInput): Decision {
  const decisions = strongestFirst(input.evaluations)
    .filter(({ at }) => isCurrent(at, input))
    .map((evaluation) => decideRow(evaluation, input));
  return (
    decisions.find(({ kind }) => kind === "Rollback") ??
    decisions.find(({ kind }) => kind !== "Quiet") ??
    QUIET
  );
}

/** An evaluation older than the tolerated gap says nothing about now. */
function isCurrent(at: number, { now, policy }: DecisionInput): boolean {
  return now - at <= (TOLERATED_GAP + 1) * policy.intervalMs;
}

function decideRow(evaluation: RowEvaluation, input: DecisionInput): Decision {
  const { row, sample, window } = evaluation;
  const { run, onset, healthyAt } = window;
  if (sample.kind !== "Value" || run === undefined || onset === undefined) {
    return QUIET;
  }
  const { release, now, policy } = input;
  const attribution = attribute({
    release,
    evidence: undefined,
    onset,
    healthyAt,
    lookbackMs: policy.lookbackMs,
    toleratedGapMs: (TOLERATED_GAP + 1) * policy.intervalMs,
    now,
  });
  const sentence = breachSentence({ ...row, ...run, value: sample.value, onset, release });
  const finding: Finding = { row, value: sample.value, onset, attribution, sentence };
  const guardInput: GuardInput = { ...input, evaluation, onset, attribution };
  switch (row.action) {
    case "Propose":
    case "Prepare":
    case "Notify":
      return policy.suspended || !releaseHasSettled(guardInput).allowed
        ? QUIET
        : { kind: "Notify", ...finding };
    case "Rollback":
      return rollbackOrHold(finding, guardInput, input);
  }
}

function rollbackOrHold(finding: Finding, guardInput: GuardInput, input: DecisionInput): Decision {
  const result = checkGuards(guardInput);
  if (!result.allowed) {
    const { reason, message, retryAt } = result;
    return { kind: "Hold", reason, message, retryAt, ...finding };
  }
  const { release, rollbackTarget: to, target, ledger } = input;
  if (release === undefined || to === undefined) {
    return {
      kind: "Hold",
      reason: "NoKnownGoodRevision",
      message: "nothing to go back to",
      retryAt: undefined,
      ...finding,
    };
  }
  const attempt = ledger.requestsOfRelease.length + 1;
  const requestName = automaticRequestName({
    targetUid: target.uid,
    targetName: target.name,
    replicaSetUid: release.replicaSetUid,
    revision: release.revision,
    attempt,
  });
  return { kind: "Rollback", release, to, attempt, requestName, ...finding };
}
