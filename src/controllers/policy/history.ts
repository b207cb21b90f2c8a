import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { hasGitOpsMarks } from "../../gitops/owner.ts";
import { compareResourceVersions } from "../../kube/resource-version.ts";
import type { RollbackPolicy, RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { RevisionIdentity } from "../../workloads/revisions.ts";
import { isFinished } from "../request/phase.ts";
import { CREATION_MS } from "./ledger-view.ts";

/** Index of the request store: `namespace/name` of the policy that a request belongs to. */
export const REQUESTS_BY_POLICY = "policy";

/** On every object that the operator makes for a policy. */
export const POLICY_LABEL = "rollback.llm-research-lab.io/policy";

/** The policy that the request names; the label counts where its spec names none. */
export function requestPolicy({ metadata, spec }: RollbackRequest): readonly string[] {
  const name = spec.policyRef?.name ?? metadata.labels?.[POLICY_LABEL];
  return name === undefined ? [] : [`${metadata.namespace}/${name}`];
}

export interface HistoryInput {
  readonly limits: RollbackPolicy["spec"]["history"];
  /** All requests of the policy. */
  readonly requests: readonly RollbackRequest[];
  readonly ledger: Pick<RollbackLedgerSpec, "automatic"> | undefined;
  readonly live: Pick<RevisionIdentity, "uid" | "revision"> | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Finished requests beyond the policy's limits, oldest first. Each limit is at least 1, so the newest success and the
 * newest failure stay. What a Git repository holds would come back at its next sync, and then run as a new request.
 */
export function surplusRequests(input: HistoryInput): readonly RollbackRequest[] {
  const { limits, requests } = input;
  const finished = requests
    .filter((request) => isAtRest(request) && !hasGitOpsMarks(request))
    .toSorted((a, b) => endOf(a) - endOf(b) || byVersion(a, b));
  const successful = finished.filter(({ status }) => status?.phase === "Succeeded");
  const failed = finished.filter(({ status }) => status?.phase !== "Succeeded");
  return [...beyond(successful, limits.successful), ...beyond(failed, limits.failed)].filter(
    (request) => !isNeeded(request, input),
  );
}

function beyond(oldestFirst: readonly RollbackRequest[], limit: number): readonly RollbackRequest[] {
  return oldestFirst.slice(0, Math.max(0, oldestFirst.length - Math.max(1, limit)));
}

/** Finished, recorded and let go; one that is being deleted already is no longer kept. */
function isAtRest(request: RollbackRequest): boolean {
  const { deletionTimestamp, finalizers = [] } = request.metadata;
  return isFinished(request) && deletionTimestamp === undefined && finalizers.length === 0;
}

/**
 * The outcome of an automatic request that never acted stands in the object alone, and decides whether the live release
 * is tried again: an abort must not be forgotten.
 */
function isNeeded(request: RollbackRequest, { ledger, live, now }: HistoryInput): boolean {
  const entry = ledger?.automatic.findLast((each) => each.request === request.metadata.name);
  if (entry === undefined) return false;
  const isOfLive = entry.replicaSetUid === live?.uid && entry.revision === live.revision;
  return live === undefined || isOfLive || now - Date.parse(entry.at) < CREATION_MS;
}

/** When it ended, ms since the epoch; when it was created, where that is not known. */
function endOf({ metadata, status }: RollbackRequest): number {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return Date.parse(ready?.lastTransitionTime ?? metadata.creationTimestamp);
}

/** Ends are told in whole seconds: of two in one second, the one that was written later is newer. */
function byVersion(a: RollbackRequest, b: RollbackRequest): number {
  return compareResourceVersions(a.metadata.resourceVersion, b.metadata.resourceVersion) ?? 0;
}
