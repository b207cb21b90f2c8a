/** A release of a workload is (ReplicaSet UID, revision): a template deployed again is a new release. */
export interface Release {
  readonly replicaSetUid: string;
  readonly revision: number;
  readonly podTemplateHash: string;
  /** When this revision became current (ms since the epoch); absent when nobody saw it. */
  readonly startedAt?: number | undefined;
  /** Set where a change of this ConfigMap, later than the release, stands in its place: `startedAt` is when it changed. */
  readonly configMap?: string | undefined;
  /** The request whose rollback made this release. */
  readonly productOfRollback?: { readonly request: string } | undefined;
}

/** `revision 7`, or what stands in its place. */
export function causeName({ revision, configMap }: Pick<Release, "revision" | "configMap">): string {
  return configMap === undefined ? `revision ${revision}` : `the change of ConfigMap/${configMap}`;
}

/** `revision 7 started`, `ConfigMap/settings changed`. */
export function causeBegan({ revision, configMap }: Pick<Release, "revision" | "configMap">): string {
  return configMap === undefined ? `revision ${revision} started` : `ConfigMap/${configMap} changed`;
}
