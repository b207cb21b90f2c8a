import type { Release } from "../release.ts";
import type { Row } from "../row.ts";

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
}

/** Of a source that can tell nothing: time alone decides. */
export const NO_EVIDENCE: Evidence = {};
