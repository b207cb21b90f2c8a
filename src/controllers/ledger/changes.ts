import type { RevisionRef } from "../../crds/rollback-request.ts";
import type {
  LedgerExecuted,
  LedgerKnownGood,
  LedgerMark,
  LedgerRelease,
  RollbackLedgerSpec,
} from "../../crds/rollback-ledger.ts";

/** Bounds of the lists, as the schema has them. The oldest entries go first. */
const MAX_ENTRIES = 50;
const MAX_EXECUTED = 1_000;

/** Announces a request that is about to act. */
export function recordExecuted(ledger: RollbackLedgerSpec, entry: LedgerExecuted): RollbackLedgerSpec {
  if (ledger.executed.some(({ uid }) => uid === entry.uid)) return ledger;
  return { ...ledger, executed: [...ledger.executed, entry].slice(-MAX_EXECUTED) };
}

/** Records how an announced request ended; a request that never acted leaves no entry. */
export function recordOutcome(
  ledger: RollbackLedgerSpec,
  uid: string,
  outcome: LedgerExecuted["outcome"],
  reason: string,
): RollbackLedgerSpec {
  const known = ledger.executed.find((entry) => entry.uid === uid);
  if (known === undefined || (known.outcome === outcome && known.reason === reason)) return ledger;
  return {
    ...ledger,
    executed: ledger.executed.map((entry) => (entry.uid === uid ? { ...entry, outcome, reason } : entry)),
  };
}

/** The revision that was live and was rolled back is not gone back to again. */
export function recordMark(ledger: RollbackLedgerSpec, mark: LedgerMark): RollbackLedgerSpec {
  const known = ledger.marks.some(
    ({ replicaSetUid, request }) => replicaSetUid === mark.replicaSetUid && request === mark.request,
  );
  return known ? ledger : { ...ledger, marks: [...ledger.marks, mark].slice(-MAX_ENTRIES) };
}

/** A release is (ReplicaSet UID, revision). What is known of it is kept; only missing facts are filled in. */
export function recordRelease(ledger: RollbackLedgerSpec, release: LedgerRelease): RollbackLedgerSpec {
  const index = ledger.releases.findIndex(
    ({ replicaSetUid, revision }) => replicaSetUid === release.replicaSetUid && revision === release.revision,
  );
  const known = ledger.releases[index];
  if (known === undefined) return { ...ledger, releases: [...ledger.releases, release].slice(-MAX_ENTRIES) };
  const merged = { ...definedMembers(release), ...definedMembers(known) };
  if (Object.keys(merged).length === Object.keys(definedMembers(known)).length) return ledger;
  return { ...ledger, releases: ledger.releases.with(index, merged) };
}

function definedMembers<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** What a request did to a target: from where, and what the change became. */
export interface Rollback {
  readonly targetUid: string;
  readonly from: RevisionRef;
  readonly after: RevisionRef;
  /** It takes back a step of the same request. */
  readonly isUndo?: boolean | undefined;
  /** Number of the revision that was put back before it was renumbered; ControllerRevisions keep no memory of it. */
  readonly formerly?: number | undefined;
  /** RFC 3339. */
  readonly at: string;
  readonly request: string;
  readonly reason: string;
}

/**
 * Records the product of a rollback as a release of its own, and marks the revision that was left. The way back of an
 * earlier rollback, or of a step of the same request, marks nothing: what it leaves is the good version.
 */
export function recordRollback(ledger: RollbackLedgerSpec, rollback: Rollback): RollbackLedgerSpec {
  const { targetUid, from, after, isUndo = false, formerly, at, request, reason } = rollback;
  const marked =
    isUndo || isWayBack(ledger, from, after)
      ? ledger
      : recordMark(ledger, {
          replicaSetUid: from.uid,
          podTemplateHash: from.podTemplateHash,
          revision: from.revision,
          at,
          request,
          reason,
        });
  const identity = { targetUid, replicaSetUid: after.uid, podTemplateHash: after.podTemplateHash };
  const known =
    formerly === undefined || formerly === after.revision
      ? marked
      : recordRelease(marked, { ...identity, revision: formerly });
  return recordRelease(known, {
    ...identity,
    revision: after.revision,
    startedAt: at,
    rollbackBy: request,
  });
}

/** Whether `after` is the very revision whose rollback made the release `from`. */
function isWayBack(ledger: RollbackLedgerSpec, from: RevisionRef, after: RevisionRef): boolean {
  const made = ledger.releases.findLast(
    ({ replicaSetUid, revision }) => replicaSetUid === from.uid && revision === from.revision,
  )?.rollbackBy;
  return (
    made !== undefined &&
    ledger.marks.some(({ replicaSetUid, request }) => replicaSetUid === after.uid && request === made)
  );
}

/** A revision that baked is known good, and a mark from an earlier life is cleared. */
export function recordKnownGood(ledger: RollbackLedgerSpec, good: LedgerKnownGood): RollbackLedgerSpec {
  const others = ledger.knownGood.filter(({ replicaSetUid }) => replicaSetUid !== good.replicaSetUid);
  return {
    ...ledger,
    knownGood: [...others, good].slice(-MAX_ENTRIES),
    marks: ledger.marks.filter(({ replicaSetUid }) => replicaSetUid !== good.replicaSetUid),
  };
}
