import type { RollbackPolicyStatus } from "../../crds/policy-status.ts";
import type { Evidence } from "../../decision/attribution/evidence.ts";
import type { Baking } from "../../decision/known-good.ts";
import type { RowEvaluation, RowStates } from "../../decision/matrix.ts";
import type { Reading } from "../../decision/sample.ts";
import type { SignalHealth } from "../../decision/signal-health.ts";
import type { Sampler } from "../../prometheus/sampler.ts";
import type { CompileResult } from "./compile.ts";
import type { RollbackReadiness } from "./readiness.ts";
import type { Situation } from "./situation.ts";

/**
 * What the controller remembers of one policy between ticks. All of it can be lost: windows are read back from
 * Prometheus, releases and known good revisions from the ledger; only a bake in progress begins anew.
 */
export interface PolicyRuntime {
  /** Namespace/name of the policy. */
  readonly key: string;
  readonly uid: string;
  readonly generation: number;
  readonly compiled: CompileResult;
  /** Of each signal in the order of the spec; undefined where its server is not configured. */
  readonly samplers: readonly (Sampler | undefined)[];
  /** When this process began to evaluate this generation, ms since the epoch. */
  readonly watchingSince: number;
  /** What an evaluation needs to know of the target; undefined while nothing is to be evaluated. */
  situation: Situation | undefined;
  /** Instant of the newest evaluation, ms since the epoch. */
  lastTickAt: number | undefined;
  /** Instant of the newest evaluation that was decided on. */
  decidedAt: number | undefined;
  /** Something that no evaluation shows may have to be done at the next one. */
  restless: boolean;
  /** Signals whose past could not be read back yet. */
  unread: ReadonlySet<string>;
  windows: RowStates;
  evaluations: readonly RowEvaluation[];
  /** By signal, of the newest tick. */
  readings: ReadonlyMap<string, Reading>;
  health: ReadonlyMap<string, SignalHealth>;
  baking: Baking | undefined;
  /** The live release as of the last look: a change that we see has a known start. */
  seenRelease: SeenRelease | undefined;
  readiness: RollbackReadiness | undefined;
  /** The question that was put last behind those of other policies; monotonic ms until which the status waits for it. */
  asked: { readonly question: string; readonly waitUntil: number } | undefined;
  /** Rows that can never fire, by name: their threshold lies above the histogram's highest bucket. */
  unreachable: ReadonlyMap<string, string>;
  /** Quantile signals whose buckets were seen. */
  bucketsSeen: ReadonlySet<string>;
  /** The newest decision of each plan as it was told, so that it is told once. */
  told: ReadonlyMap<string, string>;
  /** The newest decision of this process: a status write may lose against another writer. */
  lastDecision: RollbackPolicyStatus["lastDecision"];
  /** What was found out about the causes of breaches, by `stateKey`. */
  evidence: ReadonlyMap<string, GatheredEvidence>;
  /** What a firing row of action Prepare has made ready. */
  prepared: RollbackPolicyStatus["prepared"];
  /** Requests that this process made: one that is gone was deleted by somebody, not lost. */
  made: ReadonlySet<string>;
  /** The status is written after this: a request was just made. Monotonic ms. */
  actingUntil: number;
  /** Rows that fired at the last tick. */
  firing: ReadonlySet<string>;
}

/** What was found out about one breach. */
export interface GatheredEvidence {
  /** The breach and the release that it was gathered about. */
  readonly subject: string;
  /** ms since the epoch. */
  readonly at: number;
  readonly evidence: Evidence;
  /** How often in a row it could not be read. */
  readonly failures: number;
}

export interface SeenRelease {
  readonly uid: string;
  readonly revision: number;
  /** When it was looked at last, ms since the epoch: by every evaluation, so not read-only. */
  at: number;
  /** When it was seen to replace another one, if it was. */
  readonly startedAt: number | undefined;
}

/** One for all policies: an empty map of its own for each is a tenth of a megabyte in a thousand. */
const NONE: ReadonlyMap<string, never> = new Map<string, never>();
const NOBODY: ReadonlySet<string> = new Set<string>();

/** `before` is the runtime that the same policy had so far: what it saw and told stays seen and told. */
export function createRuntime(
  key: string,
  uid: string,
  generation: number,
  compiled: CompileResult,
  samplers: PolicyRuntime["samplers"],
  now: number,
  before?: PolicyRuntime,
): PolicyRuntime {
  const signals = compiled.kind === "Compiled" ? compiled.signals.map(({ name }) => name) : [];
  return {
    key,
    uid,
    generation,
    compiled,
    samplers,
    watchingSince: now,
    situation: undefined,
    lastTickAt: undefined,
    decidedAt: undefined,
    restless: false,
    unread: new Set(signals),
    windows: NONE,
    evaluations: [],
    readings: NONE,
    health: NONE,
    baking: undefined,
    seenRelease: before?.seenRelease,
    readiness: undefined,
    asked: undefined,
    unreachable: NONE,
    bucketsSeen: NOBODY,
    told: before?.told ?? NONE,
    evidence: NONE,
    prepared: undefined,
    lastDecision: before?.lastDecision,
    made: before?.made ?? NOBODY,
    actingUntil: 0,
    firing: before?.firing ?? NOBODY,
  };
}
