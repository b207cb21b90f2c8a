import type { LedgerAutomatic, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { AutomaticRequest, LedgerView } from "../../decision/guards/guard.ts";
import { lastKnownGood, sameRelease, type KnownGoodRevision } from "../../decision/known-good.ts";
import type { Release } from "../../decision/release.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { RevisionIdentity } from "../../workloads/revisions.ts";
import { actedAt, isRequestOf } from "../ledger/automatic.ts";
import { DEFAULT_PLAN } from "../../crds/default-plan.ts";
import { isFinished, isWaitingForApproval } from "../request/phase.ts";

/** How long a recorded request may take to appear before it counts as never made, ms. */
export const CREATION_MS = 60_000;

const NOTHING = { executed: [] };

export type FindRequest = (name: string) => RollbackRequest | undefined;

/** What the guards read from a ledger. Pure. */
export function viewLedger(
  ledger: RollbackLedgerSpec | undefined,
  release: Release | undefined,
  findRequest: FindRequest,
  now: number,
  firstPlan: string = DEFAULT_PLAN,
): LedgerView {
  const entries = (ledger?.automatic ?? []).map((entry) => ({
    entry,
    state: stateOf(entry, ledger, findRequest, now),
  }));
  return {
    automaticRollbacks: entries
      .filter(({ state }) => state === "Open" || state === "Applied")
      .map(({ entry }) => actedAt(entry, ledger ?? NOTHING)),
    requestsOfRelease: entries
      .filter(({ entry }) => release !== undefined && isOf(entry, release))
      .map(({ entry, state }) => ({
        name: entry.request,
        action: entry.action ?? "Rollback",
        plan: entry.plan ?? firstPlan,
        at: Date.parse(entry.at),
        breachSince:
          entry.trigger.breachSince === undefined ? undefined : Date.parse(entry.trigger.breachSince),
        state,
      })),
    pendingRows: new Set(),
  };
}

/** Recorded, but neither announced nor finished: it may have to be created again after a crash. */
export function unmadeRequests(
  ledger: RollbackLedgerSpec | undefined,
  findRequest: FindRequest,
  now: number,
): readonly LedgerAutomatic[] {
  return (ledger?.automatic ?? []).filter(
    (entry) =>
      entry.answer === undefined &&
      requestOf(entry, findRequest) === undefined &&
      !hasExecuted(entry) &&
      now - Date.parse(entry.at) < CREATION_MS,
  );
}

function stateOf(
  entry: LedgerAutomatic,
  ledger: RollbackLedgerSpec | undefined,
  findRequest: FindRequest,
  now: number,
): AutomaticRequest["state"] {
  if (hasExecuted(entry)) {
    const executed = ledger?.executed.findLast(({ uid }) => uid === entry.uid);
    return executed?.outcome === "Started" ? "Open" : "Applied";
  }
  if (entry.answer !== undefined) return entry.answer;
  const request = requestOf(entry, findRequest);
  if (request === undefined) {
    const isYoung = now - Date.parse(entry.at) < CREATION_MS;
    // A question that somebody deleted was asked: the same one is not asked again.
    if (entry.action === "Propose") return isYoung ? "Waiting" : "Expired";
    return isYoung ? "Open" : "EndedUnapplied";
  }
  if (!isFinished(request)) return isWaitingForApproval(request) ? "Waiting" : "Open";
  switch (request.status?.phase) {
    case "Aborted":
    case "Denied":
    case "Expired":
      return request.status.phase;
    default:
      return "EndedUnapplied";
  }
}

/** Releases after the last known good one and before the live one, oldest first: each may have brought the breach. */
export function previousReleases(live: Release, ledger: RollbackLedgerSpec | undefined): readonly Release[] {
  const releases = ledger?.releases ?? [];
  const end = releases.findLastIndex(({ replicaSetUid, revision }) =>
    sameRelease(live, { replicaSetUid, revision }),
  );
  const before = end === -1 ? releases : releases.slice(0, end);
  const good = before.findLastIndex((each) =>
    (ledger?.knownGood ?? []).some((known) => sameRelease(known, each)),
  );
  return before
    .slice(good + 1)
    .map(({ replicaSetUid, revision, podTemplateHash, startedAt, rollbackBy }) => ({
      replicaSetUid,
      revision,
      podTemplateHash,
      startedAt: startedAt === undefined ? undefined : Date.parse(startedAt),
      productOfRollback: rollbackBy === undefined ? undefined : { request: rollbackBy },
    }));
}

/** The entry is bound to its object by the write that announces the act. */
function hasExecuted(entry: LedgerAutomatic): boolean {
  return entry.uid !== undefined;
}

/** Anybody may make an object of that name. */
function requestOf(entry: LedgerAutomatic, findRequest: FindRequest): RollbackRequest | undefined {
  const found = findRequest(entry.request);
  return found !== undefined && isRequestOf(entry, found) ? found : undefined;
}

function isOf(entry: LedgerAutomatic, release: Release): boolean {
  return entry.replicaSetUid === release.replicaSetUid && entry.revision === release.revision;
}

/** Where a rollback would go, with the revision numbers of now: the ledger's are those of then. */
export function rollbackTarget(
  live: Release,
  ledger: RollbackLedgerSpec | undefined,
  revisions: readonly RevisionIdentity[],
): KnownGoodRevision | undefined {
  const current = new Map(revisions.map(({ uid, revision }) => [uid, revision]));
  const knownGood = (ledger?.knownGood ?? []).flatMap((good) => {
    const revision = current.get(good.replicaSetUid);
    return revision === undefined ? [] : [{ ...good, revision }];
  });
  const marked = new Set((ledger?.marks ?? []).map(({ replicaSetUid }) => replicaSetUid));
  return lastKnownGood(live, knownGood, new Set(current.keys()), marked);
}
