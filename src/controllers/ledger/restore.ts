import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { revisionOf } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { recordExecuted, recordRollback } from "./changes.ts";
import { formerNumber } from "./former-number.ts";

/**
 * The ledger with what a request did, where somebody deleted the ledger while the request ran: its journal holds all of
 * it. A ledger that knows the request is not touched: what it no longer says was cleared on purpose. Pure.
 */
export function restoreFromJournal(ledger: RollbackLedgerSpec, request: RollbackRequest): RollbackLedgerSpec {
  const { metadata, status, spec } = request;
  const specDigest = status?.resolved?.specDigest;
  const began = status?.steps?.map(({ startedAt }) => startedAt).find((at) => at !== undefined);
  if (began === undefined || specDigest === undefined) return ledger;
  if (ledger.executed.some(({ uid }) => uid === metadata.uid)) return ledger;
  const { name, uid } = metadata;
  const known = recordExecuted(ledger, { name, uid, specDigest, at: began, outcome: "Started" });
  const decided = { ...known, automatic: [...known.automatic, ...automaticOf(request)] };
  const reason = spec.reason || "rolled back by request";
  return rollbacksOf(request, ledger.target).reduce(
    (before, rollback) => recordRollback(before, { ...rollback, request: name, reason }),
    decided,
  );
}

/** What the steps that roll the target back, and that undo it, have done, as far as it is known. */
function rollbacksOf({ status }: RollbackRequest, target: RollbackLedgerSpec["target"]) {
  const object = `${target.kind}/${target.name}`;
  return (status?.plan?.steps ?? []).flatMap((plan, index) => {
    const step = status?.steps?.[index];
    if (plan.action !== "workload" || plan.object !== object) return [];
    const [from, after] = [revisionOf(plan.from), revisionOf(step?.after)];
    const at = step?.appliedAt ?? step?.startedAt;
    if (plan.objectUid === undefined || from === undefined || after === undefined || at === undefined) {
      return [];
    }
    const isUndo = step?.undoes !== undefined;
    return [{ targetUid: plan.objectUid, from, after, isUndo, ...formerNumber(target, plan.to), at }];
  });
}

/** The decision behind an automatic request: cool-down and budget count it. */
function automaticOf({ metadata, status }: RollbackRequest): readonly LedgerAutomatic[] {
  const { trigger, timeline, resolved } = status ?? {};
  const from = revisionOf(status?.plan?.steps[0]?.from);
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
