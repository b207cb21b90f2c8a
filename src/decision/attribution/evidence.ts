import type { Release } from "../release.ts";
import type { Row } from "../row.ts";
import type { Verdict } from "../sample.ts";

/** What is asked of a signal's source when one of its rows fires. Times in ms since the epoch. */
export interface EvidenceQuestion {
  readonly at: number;
  /** First breach since the last Ok verdict. */
  readonly onset: number;
  readonly row: Row;
  /** The label value that breaches; WHOLE where the signal is not split. */
  readonly part: string;
  /** The live release. */
  readonly release: Release;
  /** The pod-template-hashes of the workload's other revisions. */
  readonly otherHashes: readonly string[];
  /** The label of the series that holds the pod's name. */
  readonly podLabel: string;
}

/** What a source knows beside the value that breaches. A member that is absent could not be known: it says nothing. */
export interface Evidence {
  /** Why something that should be known could not be read: nothing may then be concluded from its absence. */
  readonly failed?: string | undefined;
  readonly pods?: PodEvidence | undefined;
  readonly past?: PastEvidence | undefined;
  readonly scope?: ScopeEvidence | undefined;
  readonly ill?: IllPods | undefined;
}

/** Of a source that can tell nothing: time alone decides. */
export const NO_EVIDENCE: Evidence = {};

/** For an administrator who does not want breaches of several workloads to be taken for a shared dependency. */
export function withoutOthers(evidence: Evidence | undefined): Evidence | undefined {
  return evidence === undefined ? undefined : { ...evidence, scope: undefined };
}

/** The requests that each pod answered, interval by interval. */
export interface PodEvidence {
  /** The row breaches when more than this share of the requests is bad. */
  readonly limit: number;
  /** Bad means slower than this, in seconds; absent where bad means failed. */
  readonly slowerThan?: number | undefined;
  /** What the first breach was measured on began here. */
  readonly breachFrom: number;
  /** When the row could fire first: what comes later tells nothing new of how it began. */
  readonly begunUntil: number;
  /** The last instant that was asked for. */
  readonly until: number;
  /** Length of an interval, ms. */
  readonly stepMs: number;
  readonly pods: readonly PodCounts[];
}

export interface PodCounts {
  readonly pod: string;
  /** The pod-template-hash in its name. */
  readonly hash: string;
  /** Oldest first; the same instants for all pods, those without a request left out. */
  readonly intervals: readonly Interval[];
}

/** Requests between the instant before and this one. */
export interface Interval extends Counts {
  readonly at: number;
}

export interface Counts {
  readonly bad: number;
  readonly total: number;
}

/** The same signal and row earlier: about a day until now, and around the same time a week ago. */
export interface PastEvidence {
  readonly forMs: number;
  /** The level above which the row breaches. */
  readonly limit: number;
  /** Distance of two samples. */
  readonly stepMs: number;
  /** Oldest first, until now. */
  readonly samples: readonly PastSample[];
  readonly lastWeek: readonly PastSample[];
}

export interface PastSample {
  readonly at: number;
  readonly verdict: Verdict;
  /** The higher, the worse; absent without a value. */
  readonly level?: number | undefined;
  /** Seen in the sample's window. */
  readonly requests?: number | undefined;
}

/** The same row applied to the other workloads that the signal's metrics speak of. */
export interface ScopeEvidence {
  /** How many other workloads have enough traffic to be judged. */
  readonly others: number;
  /** The first instant that was asked for, some time before the onset. */
  readonly from: number;
  /** Breaches that begin no further apart than this began together. */
  readonly togetherMs: number;
  readonly breaching: readonly BreachingWorkload[];
}

export interface BreachingWorkload {
  /** For people. */
  readonly name: string;
  /** Its first breach from `from` on. */
  readonly since: number;
}

/** Pods that live at the same time, and whether the cluster says of them what it says of those that breach. */
export interface IllPods {
  /** For people, such as `OOMKilled`. */
  readonly what: string;
  /**
   * Whether a pod that was started long ago would show it as well. What only happens at a start (an image that cannot be
   * pulled, a crash before the first request) says nothing about pods that have it behind them.
   */
  readonly isComparable: boolean;
  readonly pods: readonly {
    /** The pod-template-hash of its ReplicaSet. */
    readonly hash: string;
    readonly isIll: boolean;
  }[];
}
