import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { recordExecuted, recordRollback } from "./changes.ts";

/**
 * The ledger with what a request did, where somebody deleted the ledger while the request ran: its journal holds all of
 * it. A ledger that knows the request is not touched: what it no longer says was cleared on purpose. Pure.
 */
export function restoreFromJournal(ledger: RollbackLedgerSpec, request: RollbackRequest): RollbackLedgerSpec {
  const { metadata, status, spec } = request;
  const [step] = status?.steps ?? [];
  const [plan] = status?.plan?.steps ?? [];
  const specDigest = status?.resolved?.specDigest;
  if (step?.startedAt === undefined || specDigest === undefined) return ledger;
  if (ledger.executed.some(({ uid }) => uid === metadata.uid)) return ledger;
  const { name, uid } = metadata;
  const known = recordExecuted(ledger, { name, uid, specDigest, at: step.startedAt, outcome: "Started" });
  const decided = { ...known, automatic: [...known.automatic, ...automaticOf(request)] };
  if (step.after === undefined || plan?.from === undefined) return decided;
  return recordRollback(decided, {
    targetUid: plan.objectUid,
    from: plan.from,
    after: step.after,
    at: step.appliedAt ?? step.startedAt,
    request: name,
    reason: spec.reason || "rolled back by request",
  });
}

/** The decision behind an automatic request: cool-down and budget count it. */
function automaticOf({ metadata, status }: RollbackRequest): readonly LedgerAutomatic[] {
  const { trigger, timeline, resolved } = status ?? {};
  const from = resolved?.from;
  if (resolved?.automatic !== true || from === undefined || trigger?.policy === undefined) return [];
  if (timeline?.decided === undefined) return [];
  return [
    {
      request: metadata.name,
      uid: metadata.uid,
      replicaSetUid: from.uid,
      podTemplateHash: from.podTemplateHash,
      revision: from.revision,
      attempt: 1,
      at: timeline.decided,
      ...(timeline.released === undefined ? {} : { released: timeline.released }),
      trigger,
    },
  ];
}
