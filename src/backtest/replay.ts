import type { CompiledPolicy } from "../controllers/policy/compile.ts";
import { decide, isActing, unproven, type ActingDecision, type Decision } from "../decision/decide.ts";
import type { AutomaticRequest } from "../decision/guards/guard.ts";
import { bake, startBaking, type Baking } from "../decision/known-good.ts";
import { evaluateRows, stateKey, statesOf, type RowEvaluation, type RowStates } from "../decision/matrix.ts";
import type { Reading } from "../decision/sample.ts";
import { formatSpan } from "../decision/sentence.ts";
import { PastEvidence } from "./past-evidence.ts";
import { PastLedger } from "./past-ledger.ts";
import type { PastRelease } from "./past-release.ts";
import type { PastDecision } from "./report.ts";
import { SampleCounts } from "./sample-counts.ts";

/** All rows of one evaluation at `at`, ms since the epoch. */
export type OnTick = (at: number, evaluations: readonly RowEvaluation[]) => void;

export interface ReplaySetting {
  readonly compiled: CompiledPolicy;
  readonly target: { readonly uid: string; readonly name: string };
  /** Oldest first. */
  readonly releases: readonly PastRelease[];
  /** From here on it decides (ms since the epoch); what it is told of before only fills windows and bakes. */
  readonly start: number;
  readonly onTick?: OnTick | undefined;
}

/**
 * A policy's evaluation in the past: the decisions of production, made of the same parts. Reality goes on as it was: of
 * a release that would have been rolled back, nothing more is decided.
 */
export class Replay {
  readonly #setting: ReplaySetting;
  readonly #ledger: PastLedger;
  readonly #counts = new SampleCounts();
  readonly #decisions: PastDecision[] = [];
  readonly #knownGood: number[] = [];
  #windows: RowStates = new Map();
  #baking: Baking | undefined;
  readonly #evidence: PastEvidence;
  /** Releases that are gone, with all that breached since they began. */
  readonly #gone: PastRelease[] = [];
  readonly #waiting: WaitingProposal[] = [];
  /** By plan, the newest decision as it was told: the same again is no news. */
  #told = new Map<string, string>();
  #firing: ReadonlySet<string> = new Set();

  constructor(setting: ReplaySetting) {
    this.#setting = setting;
    this.#ledger = new PastLedger(setting.releases);
    this.#evidence = new PastEvidence(setting.compiled);
  }

  get decisions(): readonly PastDecision[] {
    return this.#decisions;
  }

  get samples() {
    return this.#counts.samples;
  }

  /** Revisions that became known good, oldest first. */
  get knownGood(): readonly number[] {
    return this.#knownGood;
  }

  /** One evaluation at `at` (ms since the epoch), in order. */
  async tick(at: number, readings: ReadonlyMap<string, Reading>, signal: AbortSignal): Promise<void> {
    const { compiled, start } = this.#setting;
    const evaluations = evaluateRows(compiled.rows, readings, this.#windows, at, compiled.view.intervalMs);
    this.#windows = statesOf(evaluations);
    this.#noteRecoveries(evaluations, at);
    const live = this.#ledger.liveAt(at);
    const isGone = () => live !== undefined && this.#gone.includes(live);
    if (live !== undefined && !isGone()) this.#bake(live, evaluations, at);
    if (at < start) return;
    this.#runWaiting(live, at);
    this.#counts.add(readings, evaluations);
    this.#setting.onTick?.(at, evaluations);
    if (!isGone()) await this.#decide(live, this.#ofThisStory(evaluations), at, signal);
  }

  async #decide(
    live: PastRelease | undefined,
    evaluations: readonly RowEvaluation[],
    at: number,
    signal: AbortSignal,
  ): Promise<void> {
    this.#noteFiring(evaluations);
    if (!evaluations.some(({ fires }) => fires)) {
      if (this.#firing.size === 0) this.#told = new Map();
      return;
    }
    const decisions = await this.#proven(live, evaluations, at, signal);
    for (const decision of decisions) {
      this.#record(decision, live, at);
      if (decision.kind === "Rollback") return;
    }
  }

  /** Decides, and looks into causes until nothing would be done about a breach whose cause was not looked into. */
  async #proven(
    live: PastRelease | undefined,
    evaluations: readonly RowEvaluation[],
    at: number,
    signal: AbortSignal,
  ): Promise<readonly Decision[]> {
    for (;;) {
      const decisions = this.#decideOn(live, evaluations, at);
      const open = unproven(decisions, this.#evidence.of(evaluations, live, at));
      // What is gathered is current at this tick, so that each round leaves less to be proven.
      if (open.length === 0 || live === undefined) return decisions;
      await this.#evidence.gather(open, live, this.#ledger.otherHashes(live), at, signal);
    }
  }

  #decideOn(
    live: PastRelease | undefined,
    evaluations: readonly RowEvaluation[],
    now: number,
  ): readonly Decision[] {
    const { compiled, target, start } = this.#setting;
    return decide({
      now,
      target,
      plans: compiled.plans,
      evaluations,
      evidence: this.#evidence.of(evaluations, live, now),
      killSwitch: "Off",
      policy: {
        ...compiled.view,
        mode: "Enforce",
        suspended: false,
        executor: compiled.view.executor || "backtest",
      },
      release: live,
      previous: live === undefined ? [] : this.#ledger.previous(live),
      rollbackTarget: live === undefined ? undefined : this.#ledger.rollbackTarget(live),
      ledger: this.#ledger.view(live, now),
      cluster: {
        automaticRollbacks: [],
        maxPerTenMinutes: Infinity,
        otherOnsets: [],
        // Other targets are not replayed; what the metrics say of them counts.
        sharedBreachTargets: Infinity,
      },
      frozenBy: undefined,
      hotfixEta: undefined,
      openFreezes: compiled.freeze.openAt(now),
      watchingSince: start,
    });
  }

  #record(decision: Decision, live: PastRelease | undefined, at: number): void {
    const holdReason = decision.kind === "Hold" ? decision.reason : undefined;
    // Of what waits for an answer already there is nothing to tell.
    if (holdReason === "TargetBusy") return;
    const request = isActing(decision) ? decision.requestName : undefined;
    const news = [decision.row.name, decision.kind, holdReason, request].join("/");
    if (this.#told.get(decision.plan) === news) return;
    this.#told.set(decision.plan, news);
    const { plan, row, part, value, onset, attribution } = decision;
    const target = live === undefined ? undefined : this.#ledger.rollbackTarget(live);
    const past: PastDecision = {
      at,
      action: decision.kind === "Hold" ? "Held" : decision.kind,
      plan,
      row,
      part,
      value,
      onset,
      holdReason,
      attribution: attribution.verdict,
      reason: reasonOf(decision),
      why: whyOf(decision),
      release: live,
      to: isActing(decision) ? target?.revision : undefined,
      recoveredAt: undefined,
    };
    this.#decisions.push(past);
    if (live !== undefined && isActing(decision)) this.#act(decision, past, live);
  }

  #act(decision: ActingDecision, past: PastDecision, live: PastRelease): void {
    const { requestName: name, plan, onset: breachSince } = decision;
    const { at } = past;
    const request = { name, action: decision.kind, plan, at, breachSince };
    if (decision.kind === "Rollback") {
      this.#ledger.recordRequest(request, live, undefined);
      this.#gone.push(live);
      return;
    }
    this.#ledger.recordRequest(request, live, at + decision.expiresAfterMs);
    if (decision.runAfterMs !== undefined) {
      this.#waiting.push({ request, past, live, dueAt: at + decision.runAfterMs });
    }
  }

  /** Proposals that run by themselves when their time has come and their release is still there. */
  #runWaiting(live: PastRelease | undefined, at: number): void {
    for (const waiting of this.#waiting.filter(({ dueAt }) => dueAt <= at)) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      const { past, request } = waiting;
      if (waiting.live !== live || this.#gone.includes(waiting.live)) continue;
      this.#ledger.recordRequest({ ...request, action: "Rollback", at }, live, undefined);
      this.#gone.push(live);
      const why = `proposed ${formatSpan(at - past.at)} before, and nobody denied it`;
      this.#decisions.push({ ...past, at, action: "Rollback", reason: `${past.reason}; ${why}`, why });
    }
  }

  #bake(live: PastRelease, evaluations: readonly RowEvaluation[], at: number): void {
    const { compiled } = this.#setting;
    this.#baking = bake(this.#baking ?? startBaking(live), {
      release: live,
      evaluations,
      at,
      complete: at >= live.completedAt,
      rolledBackAt: this.#ledger.rolledBackAt(live),
      bakeMs: compiled.bakeMs,
      intervalMs: compiled.view.intervalMs,
    });
    if (this.#baking.kind !== "KnownGood" || this.#ledger.isKnownGood(live)) return;
    this.#ledger.recordKnownGood(live);
    this.#knownGood.push(live.revision);
  }

  /** Without what a release left behind that would be gone: its breach would not have reached the next one. */
  #ofThisStory(evaluations: readonly RowEvaluation[]): readonly RowEvaluation[] {
    return evaluations.filter(({ window: { onset } }) => {
      const release = onset === undefined ? undefined : this.#ledger.liveAt(onset);
      return release === undefined || !this.#gone.includes(release);
    });
  }

  /** As production tells breaches: a row stays in it through a gap in the data, until an Ok verdict. */
  #noteFiring(evaluations: readonly RowEvaluation[]): void {
    const keyOf = ({ row, part }: RowEvaluation) => stateKey(row.name, part);
    const resolved = new Set(evaluations.filter(({ verdict }) => verdict === "Ok").map(keyOf));
    const firing = evaluations.filter(({ fires }) => fires).map(keyOf);
    this.#firing = new Set([...this.#firing, ...firing].filter((key) => !resolved.has(key)));
  }

  #noteRecoveries(evaluations: readonly RowEvaluation[], at: number): void {
    for (const [index, decision] of this.#decisions.entries()) {
      if (decision.recoveredAt !== undefined) continue;
      const evaluation = evaluations.find(
        ({ row, part }) => row.name === decision.row.name && part === decision.part,
      );
      if (evaluation?.verdict === "Ok") this.#decisions[index] = { ...decision, recoveredAt: at };
    }
  }
}

/** A proposal that runs at `dueAt` (ms since the epoch) unless it is denied. */
interface WaitingProposal {
  readonly request: Omit<AutomaticRequest, "state">;
  readonly past: PastDecision;
  readonly live: PastRelease;
  readonly dueAt: number;
}

/** The words of production, see controllers/policy/decision.ts. */
function reasonOf(decision: Decision): string {
  const why = whyOf(decision);
  switch (decision.kind) {
    case "Notify":
    case "Prepare":
      return decision.sentence;
    case "Hold":
      return `${decision.sentence}; held, ${decision.reason}: ${why}`;
    case "Propose":
      if (decision.instead !== undefined) return `${decision.sentence}; proposed instead of done: ${why}`;
      return `${decision.sentence}; ${attributed(decision)}`;
    case "Rollback":
      return `${decision.sentence}; ${attributed(decision)}`;
  }
}

function whyOf(decision: Decision): string {
  switch (decision.kind) {
    case "Hold":
      return decision.message;
    case "Propose":
      return decision.instead ?? decision.attribution.reason;
    case "Notify":
    case "Prepare":
    case "Rollback":
      return decision.attribution.reason;
  }
}

function attributed({ attribution: { verdict, reason } }: Decision): string {
  return `${verdict.toLowerCase()} by the last release: ${reason}`;
}
