/** A release of a workload is (ReplicaSet UID, revision): a template deployed again is a new release. */
export interface Release {
  readonly replicaSetUid: string;
  readonly revision: number;
  readonly podTemplateHash: string;
  /** When this revision became current (ms since the epoch); absent when nobody saw it. */
  readonly startedAt?: number | undefined;
  /** The request whose rollback made this release. */
  readonly productOfRollback?: { readonly request: string } | undefined;
}
