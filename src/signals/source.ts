import type { Evidence, EvidenceQuestion } from "../decision/attribution/evidence.ts";
import type { Unit } from "../decision/row.ts";
import type { Reading, TimedSample } from "../decision/sample.ts";

/** The workload that a signal is read for, as the caches show it. */
export interface SignalSubject {
  readonly namespace: string;
  readonly desiredReplicas: number;
  /** The live release; undefined while the workload's controller has not caught up with its newest spec. */
  readonly live: (SubjectRevision & { readonly startedAt: number | undefined }) | undefined;
  /** What a rollback would go back to now. */
  readonly rollbackTarget: SubjectRevision | undefined;
}

/** A revision of the workload. */
export interface SubjectRevision {
  readonly replicaSetUid: string;
  /** Of the ReplicaSet. */
  readonly name: string;
  readonly revision: number;
}

/** Where the values of one signal come from. */
export interface SignalSource {
  readonly unit: Unit;
  /** At an instant (ms since the epoch). What fails is an Error sample; only an abort of `signal` rejects. */
  read(at: number, subject: SignalSubject, signal: AbortSignal): Promise<Reading>;
  /** One reading for every step from `start` to `end`, both included: how windows are rebuilt after a restart. */
  readPast(
    start: number,
    end: number,
    stepMs: number,
    signal: AbortSignal,
    subject: SignalSubject,
  ): Promise<PastReading>;
  /**
   * The highest value that it can tell apart from any higher one, such as the highest bucket of a histogram; undefined
   * while that is not known yet. Absent where every value can be told.
   */
  highestValue?(at: number, signal: AbortSignal): Promise<number | undefined>;
  /**
   * What it knows about the cause of a breach. What fails is told in the evidence; only an abort of `signal` rejects.
   * Absent where it knows nothing but its values.
   */
  evidence?(question: EvidenceQuestion, signal: AbortSignal): Promise<Evidence>;
  /** Sources with the same key are asked together when they are read at the same instant. Absent: asked alone. */
  readonly tickGroup?: TickGroup | undefined;
  /** Gives up the place among those who are asked together; nothing is read afterwards. Must be called once. */
  close?(): void;
}

/**
 * Who should be read at the same instants: the first read at an instant asks for all of them, the others get their part
 * of the same answer. The signals of one policy share one key where they can, and a policy is best evaluated on the
 * grid of its first signal that has one. The same as long as the source is open.
 */
export interface TickGroup {
  readonly key: string;
}

export type PastReading =
  /** By part; WHOLE where the signal is not split. */
  | { readonly kind: "Read"; readonly parts: ReadonlyMap<string, readonly TimedSample[]> }
  /** The source remembers nothing: what it tells now is all that there is. */
  | { readonly kind: "NoMemory" }
  /** To be asked again. */
  | { readonly kind: "Failed" };
