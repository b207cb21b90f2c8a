import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { Release } from "../../decision/release.ts";
import type { SignalSubject, SubjectRevision } from "../../signals/source.ts";
import type { RevisionIdentity } from "../../workloads/revisions.ts";
import { rollbackTarget } from "./ledger-view.ts";
import { toRelease, type TargetView } from "./target.ts";

/** What an evaluation needs to know of the target, as the caches showed it when they last changed. */
export interface Situation {
  readonly subject: SignalSubject;
  /** The live release; undefined while the workload's controller has not caught up with its newest spec. */
  readonly release: Release | undefined;
  readonly rolloutComplete: boolean;
  /** When the live template was marked as rolled back for cause, ms since the epoch. */
  readonly rolledBackAt: number | undefined;
}

/** Pure. */
export function situationOf(
  namespace: string,
  { desiredReplicas, live, revisions, rolloutComplete }: TargetView,
  ledger: RollbackLedgerSpec | undefined,
): Situation {
  if (live === undefined) {
    const subject = { namespace, desiredReplicas, live, rollbackTarget: undefined };
    return { subject, release: undefined, rolloutComplete, rolledBackAt: undefined };
  }
  const release = toRelease(live, ledger);
  const mark = ledger?.marks.findLast(({ replicaSetUid }) => replicaSetUid === live.uid);
  const good = rollbackTarget(release, ledger, revisions);
  const destination = revisions.find(({ uid }) => uid === good?.replicaSetUid);
  return {
    subject: {
      namespace,
      desiredReplicas,
      live: { ...subjectRevision(live), startedAt: release.startedAt },
      rollbackTarget: destination === undefined ? undefined : subjectRevision(destination),
    },
    release,
    rolloutComplete,
    rolledBackAt: mark === undefined ? undefined : Date.parse(mark.at),
  };
}

function subjectRevision({ uid, name, revision }: RevisionIdentity): SubjectRevision {
  return { replicaSetUid: uid, name, revision };
}
