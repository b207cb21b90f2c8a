import { DEFAULT_PLAN } from "../crds/default-plan.ts";
import { attribute, type Attribution, type AttributionInput } from "./attribution/attribute.ts";
import { withoutOthers, type Evidence } from "./attribution/evidence.ts";
import type { Span } from "./attribution/recurrence.ts";
import {
  asRelease,
  attributeChange,
  doubtedFor,
  suspectedChange,
  type ConfigurationChange,
} from "./configuration.ts";
import { releaseHasSettled } from "./guards/cause.ts";
import { checkGuards, GUARDS, PROPOSAL_GUARDS } from "./guards/chain.ts";
import type { GuardInput, HoldReason, PlanView } from "./guards/guard.ts";
import { stateKey, strongestFirst, type RowEvaluation } from "./matrix.ts";
import type { Release } from "./release.ts";
import { automaticRequestName } from "./request-name.ts";
import type { Row } from "./row.ts";
import { WHOLE } from "./sample.ts";
import { breachSentence } from "./sentence.ts";
import { TOLERATED_GAP } from "./window.ts";

/** Everything decisions are made from: one snapshot. Times in ms since the epoch. */
export interface DecisionInput extends Omit<
  GuardInput,
  "evaluation" | "onset" | "attribution" | "intent" | "plan"
> {
  readonly target: { readonly uid: string; readonly name: string };
  /** In the order in which they act. */
  readonly plans: readonly PlanView[];
  readonly evaluations: readonly RowEvaluation[];
  /** What was found out about the causes of breaches, by `stateKey`; a breach without an entry is judged by time alone. */
  readonly evidence: ReadonlyMap<string, Evidence>;
  /** Releases after the last known good one and before the live one, oldest first. */
  readonly previous: readonly Release[];
  /** When releases ran that were rolled back for cause. */
  readonly troubled?: readonly Span[];
  /** What else changed beside the code; looked up only where something fires. */
  readonly configuration?: { readonly changes: readonly ConfigurationChange[] } | undefined;
}

/** What to do about one plan of the policy, and why. */
export type Decision =
  | ({ readonly kind: "Notify" } & Finding)
  /** Make the plan and its preflight, keep them and show them; nothing waits, nothing runs. */
  | ({ readonly kind: "Prepare" } & Finding)
  | ({
      readonly kind: "Hold";
      readonly reason: HoldReason;
      readonly message: string;
      /** When the guard that holds it will allow it again, where known. */
      readonly retryAt: number | undefined;
    } & Finding)
  | ({
      readonly kind: "Propose";
      /** How long it waits for an answer, ms. */
      readonly expiresAfterMs: number;
      /** Runs after so long unless it is denied, ms; undefined: only when it is approved. */
      readonly runAfterMs: number | undefined;
      /** Why it is not done at once, where its row says Rollback. */
      readonly instead: string | undefined;
    } & Act)
  | ({ readonly kind: "Rollback" } & Act);

/** The row that fired and what is known about its breach. */
export interface Finding {
  readonly plan: string;
  readonly row: Row;
  /** The label value that breaches; WHOLE where the signal is not split. */
  readonly part: string;
  readonly value: number;
  readonly onset: number;
  readonly attribution: Attribution;
  /** One sentence for reasons, events and the history. */
  readonly sentence: string;
}

/** A finding that becomes a request. */
export interface Act extends Finding {
  readonly release: Release;
  readonly attempt: number;
  readonly requestName: string;
}

/** A breach whose cause can be looked into. */
export type Provable = Pick<Act, "row" | "part" | "onset" | "release">;

export type ActingDecision = Extract<Decision, { readonly kind: "Rollback" | "Propose" }>;

export function isActing(decision: Decision): decision is ActingDecision {
  return decision.kind === "Rollback" || decision.kind === "Propose";
}

/**
 * What to do now: pure and total; at most one decision for each plan, in the plans' order, and none where nothing fires.
 * The strongest firing row of a plan decides. Of several the first one that no guard refuses acts, so that a row that was
 * breaching before the release does not hide one that the release broke; when all are refused, the first refusal is shown.
 */
export function decide(input: DecisionInput): readonly Decision[] {
  const firing = strongestFirst(input.evaluations).filter(({ at }) => isCurrent(at, input));
  return input.plans.flatMap((plan) => {
    const decisions = firing
      .filter((evaluation) => planFor(evaluation, input) === plan.name)
      .flatMap((evaluation) => decideRow(evaluation, plan, input) ?? []);
    const chosen =
      decisions.find(({ kind }) => kind === "Rollback") ??
      decisions.find(({ kind }) => kind === "Propose") ??
      decisions[0];
    return chosen === undefined ? [] : [chosen];
  });
}

/** Decisions that would act on a breach whose cause was not looked into yet: to be proven, and then decided anew. */
export function unproven(
  decisions: readonly Decision[],
  evidence: DecisionInput["evidence"],
): readonly ActingDecision[] {
  return decisions.filter(isActing).filter(({ row, part }) => !evidence.has(stateKey(row.name, part)));
}

/** An evaluation older than the tolerated gap says nothing about now. */
function isCurrent(at: number, { now, policy }: DecisionInput): boolean {
  return now - at <= (TOLERATED_GAP + 1) * policy.intervalMs;
}

/** A firing row with everything that guards look at. */
interface Judged {
  readonly finding: Finding;
  readonly guardInput: GuardInput;
}

/** Rows whose proposal waits for an answer, and runs without one after a while. */
function waitingRuns(input: DecisionInput): readonly Judged[] {
  const { plans, evaluations, ledger } = input;
  const isWaiting = ({ name }: PlanView) =>
    ledger.requestsOfRelease.some(({ state, plan }) => state === "Waiting" && plan === name);
  return plans.filter(isWaiting).flatMap((plan) =>
    evaluations
      .filter(({ row, fires, at }) => fires && row.plan === plan.name && isCurrent(at, input))
      .filter(({ row }) => row.action === "Propose" && row.runAfterMs !== undefined)
      .flatMap((evaluation) => judge(evaluation, plan, input) ?? []),
  );
}

/** Of these the ones whose cause was not looked into yet, or not lately. */
export function unprovenRuns(input: DecisionInput): readonly Provable[] {
  const { release, evidence } = input;
  if (release === undefined) return [];
  return waitingRuns(input)
    .map(({ finding: { row, part, onset } }) => ({ row, part, onset, release }))
    .filter(({ row, part }) => !evidence.has(stateKey(row.name, part)));
}

/** The plans by which a waiting proposal may run unasked now: an automatic act, so everything that binds one binds it. */
export function runsUnasked(input: DecisionInput): ReadonlySet<string> {
  const allowed = waitingRuns(input).filter(
    ({ finding, guardInput }) =>
      finding.attribution.verdict === "Caused" && checkGuards(GUARDS, guardInput).allowed,
  );
  return new Set(allowed.map(({ finding }) => finding.plan));
}

/** What is held responsible: the code, or a configuration that changed after it. */
interface Cause {
  readonly code: Attribution;
  /** More suspected than the code, which is not proven guilty. */
  readonly change: ConfigurationChange | undefined;
  readonly facts: Omit<AttributionInput, "release" | "previous">;
}

function causeOf({ row, part, window }: RowEvaluation, onset: number, input: DecisionInput): Cause {
  const { release, previous, troubled = [], now, policy, cluster, configuration } = input;
  const evidence = input.evidence.get(stateKey(row.name, part));
  const facts = {
    troubled,
    evidence: cluster.sharedBreachTargets > 0 ? evidence : withoutOthers(evidence),
    onset,
    healthyAt: window.healthyAt,
    lookbackMs: policy.lookbackMs,
    toleratedGapMs: (TOLERATED_GAP + 1) * policy.intervalMs,
    now,
  };
  const code = attribute({ ...facts, release, previous });
  const change =
    code.verdict === "Caused"
      ? undefined
      : suspectedChange(configuration?.changes ?? [], { ...facts, release });
  return { code, change, facts };
}

/** The plan that a row goes by: its own, or where a configuration is the cause, one that puts that back. */
function planFor(evaluation: RowEvaluation, input: DecisionInput): string {
  const { row, window } = evaluation;
  if (window.onset === undefined) return row.plan;
  const { change } = causeOf(evaluation, window.onset, input);
  if (change === undefined) return row.plan;
  const able = input.plans.filter((plan) => putsBack(plan, change)).map(({ name }) => name);
  return able.includes(row.plan) ? row.plan : (able[0] ?? row.plan);
}

function putsBack({ configMaps = [] }: PlanView, { configMap }: ConfigurationChange): boolean {
  return configMaps.includes(configMap);
}

/** By which release, or change in its place, a plan is judged, and how. */
function judgedBy(
  { code, change, facts }: Cause,
  plan: PlanView,
  release: Release | undefined,
): { readonly attribution: Attribution; readonly release: Release | undefined } {
  if (change === undefined || release === undefined) return { attribution: code, release };
  if (!putsBack(plan, change)) return { attribution: doubtedFor(code, change, facts), release };
  return { attribution: attributeChange(change, release, facts), release: asRelease(change, release) };
}

function judge(evaluation: RowEvaluation, plan: PlanView, input: DecisionInput): Judged | undefined {
  const { row, part, sample, window } = evaluation;
  const { run, onset } = window;
  if (sample.kind !== "Value" || run === undefined || onset === undefined) return undefined;
  const cause = causeOf(evaluation, onset, input);
  const { attribution, release } = judgedBy(cause, plan, input.release);
  const signal = part === WHOLE ? row.signal : `${row.signal} of ${part}`;
  const sentence = breachSentence({
    ...row,
    ...run,
    signal,
    value: sample.value,
    onset,
    release,
    attribution,
  });
  const finding: Finding = { plan: plan.name, row, part, value: sample.value, onset, attribution, sentence };
  return {
    finding,
    guardInput: { ...input, release, evaluation, onset, attribution, plan, intent: "Rollback" },
  };
}

function decideRow(evaluation: RowEvaluation, plan: PlanView, input: DecisionInput): Decision | undefined {
  const judged = judge(evaluation, plan, input);
  if (judged === undefined) return undefined;
  const { finding, guardInput } = judged;
  const { row } = finding;
  switch (row.action) {
    case "Notify":
    case "Prepare":
      return input.policy.suspended || !releaseHasSettled(guardInput).allowed
        ? undefined
        : { kind: row.action, ...finding };
    case "Propose":
      return propose(finding, guardInput, input, undefined);
    case "Rollback":
      return rollBack(finding, guardInput, input);
  }
}

/** What only uncertainty holds back is put to a person. */
export function asksInstead(reason: HoldReason, { verdict }: Pick<Attribution, "verdict">): boolean {
  return reason === "Unattributed" && verdict !== "Unlikely";
}

function rollBack(finding: Finding, guardInput: GuardInput, input: DecisionInput): Decision {
  const result = checkGuards(GUARDS, guardInput);
  if (result.allowed) return act(finding, input, (made) => ({ kind: "Rollback", ...made }));
  const { reason, message, retryAt } = result;
  return asksInstead(reason, finding.attribution)
    ? propose(finding, guardInput, input, message)
    : { kind: "Hold", reason, message, retryAt, ...finding };
}

function propose(
  finding: Finding,
  guardInput: GuardInput,
  input: DecisionInput,
  instead: string | undefined,
): Decision {
  const result = checkGuards(PROPOSAL_GUARDS, { ...guardInput, intent: "Propose" });
  if (!result.allowed) {
    const { reason, message, retryAt } = result;
    return { kind: "Hold", reason, message, retryAt, ...finding };
  }
  const { runAfterMs, expiresAfterMs } = finding.row;
  // Running unasked is an automatic act: everything that binds one binds it.
  const mayRun = finding.attribution.verdict === "Caused" && checkGuards(GUARDS, guardInput).allowed;
  return act(finding, input, (made) => ({
    kind: "Propose",
    expiresAfterMs,
    runAfterMs: mayRun ? runAfterMs : undefined,
    instead,
    ...made,
  }));
}

function act(finding: Finding, input: DecisionInput, make: (made: Act) => Decision): Decision {
  const { release, target, ledger } = input;
  if (release === undefined) {
    const message = "the live release is not known";
    return { kind: "Hold", reason: "Unattributed", message, retryAt: undefined, ...finding };
  }
  const attempt = ledger.requestsOfRelease.filter(({ plan }) => plan === finding.plan).length + 1;
  const requestName = automaticRequestName({
    targetUid: target.uid,
    targetName: target.name,
    replicaSetUid: release.replicaSetUid,
    revision: release.revision,
    attempt,
    ...(finding.plan === DEFAULT_PLAN ? {} : { plan: finding.plan }),
  });
  return make({ ...finding, release, attempt, requestName });
}
