import type { LedgerHold } from "../../crds/gitops-hold.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";

/** Bound of the list, as the schema has it. */
const MAX_HOLDS = 50;

/** Holds that a request is about to set, with what stood there. Throws RangeError when the list is full. Pure. */
export function recordHolds(
  ledger: RollbackLedgerSpec,
  requestUid: string,
  entries: readonly LedgerHold[],
): RollbackLedgerSpec {
  const known = new Set(openHolds(ledger, requestUid).map(({ uid }) => uid));
  const fresh = entries.filter(({ uid }) => !known.has(uid));
  if (fresh.length === 0) return ledger;
  const holds = [...(ledger.holds ?? []), ...fresh];
  // One that is forgotten is never ended.
  if (holds.length > MAX_HOLDS) throw new RangeError(`more than ${MAX_HOLDS} holds of one object are open`);
  return { ...ledger, holds };
}

/** One hold has ended. Pure. */
export function removeHold(ledger: RollbackLedgerSpec, requestUid: string, uid: string): RollbackLedgerSpec {
  const { holds = [], ...rest } = ledger;
  const kept = holds.filter((hold) => hold.requestUid !== requestUid || hold.uid !== uid);
  if (kept.length === holds.length) return ledger;
  return kept.length === 0 ? rest : { ...rest, holds: kept };
}

export function openHolds(ledger: RollbackLedgerSpec | undefined, requestUid: string): readonly LedgerHold[] {
  return (ledger?.holds ?? []).filter((hold) => hold.requestUid === requestUid);
}
