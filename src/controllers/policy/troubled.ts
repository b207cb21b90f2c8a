import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { Span } from "../../decision/attribution/recurrence.ts";

/** When releases ran that were rolled back for cause: from the start of each to that of the next one. */
export function troubledSpans(ledger: RollbackLedgerSpec | undefined): readonly Span[] {
  const { releases = [], marks = [] } = ledger ?? {};
  const marked = new Set(marks.map(({ replicaSetUid }) => replicaSetUid));
  return releases.flatMap(({ replicaSetUid, startedAt }, index) => {
    const next = releases[index + 1]?.startedAt;
    return marked.has(replicaSetUid) && startedAt !== undefined && next !== undefined
      ? [{ from: Date.parse(startedAt), to: Date.parse(next) }]
      : [];
  });
}
