import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";

/** A release as far as its pods are told by it. `startedAt` in ms since the epoch, undefined if nobody saw it. */
export interface PastRelease {
  readonly replicaSetUid: string;
  readonly startedAt: number | undefined;
}

/** The release that was live at an instant, as the ledger remembers it; undefined where it does not. */
export function releaseAt(
  at: number,
  live: PastRelease,
  ledger: Pick<RollbackLedgerSpec, "releases"> | undefined,
): PastRelease | undefined {
  if (live.startedAt === undefined || live.startedAt <= at) return live;
  return (ledger?.releases ?? [])
    .flatMap(({ replicaSetUid, startedAt }) => {
      const start = Date.parse(startedAt ?? "");
      return start <= at ? [{ replicaSetUid, startedAt: start }] : [];
    })
    .reduce<(PastRelease & { readonly startedAt: number }) | undefined>(
      (newest, each) => (newest === undefined || each.startedAt >= newest.startedAt ? each : newest),
      undefined,
    );
}
