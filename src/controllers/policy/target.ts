import type { LedgerRelease, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { Release } from "../../decision/release.ts";
import type { Deployment, ReplicaSet } from "../../kube/well-known.ts";
import { REVISION, revisionIdentities, type RevisionIdentity } from "../../workloads/revisions.ts";
import { rolloutState } from "../../workloads/rollout-state.ts";

/** A policy's Deployment as the caches show it. */
export interface TargetView {
  readonly uid: string;
  readonly name: string;
  readonly desiredReplicas: number;
  /** The live revision; undefined while the Deployment controller has not caught up with the newest spec. */
  readonly live: RevisionIdentity | undefined;
  /** All revisions that still exist, newest first. */
  readonly revisions: readonly RevisionIdentity[];
  readonly rolloutComplete: boolean;
}

/** Pure; from objects without templates, so the live revision is the one the Deployment's own annotation names. */
export function viewTarget(deployment: Deployment, replicaSets: readonly ReplicaSet[]): TargetView {
  const revisions = revisionIdentities(deployment, replicaSets);
  const observed = (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
  const number = Number(deployment.metadata.annotations?.[REVISION]);
  return {
    uid: deployment.metadata.uid,
    name: deployment.metadata.name,
    desiredReplicas: deployment.spec.replicas ?? 1,
    live: observed ? revisions.find(({ revision }) => revision === number) : undefined,
    revisions,
    rolloutComplete: rolloutState(deployment).complete,
  };
}

/**
 * What the ledger should hold about the live release. Its start is known if the ledger has it, if its ReplicaSet was
 * created for it (then its creation is the start), or if we saw it become live; otherwise it stays unknown.
 */
export function releaseEntry(
  target: TargetView,
  live: RevisionIdentity,
  seenLiveAt: number | undefined,
): LedgerRelease {
  const isFirstUse = live.formerRevisions.length === 0;
  const startedAt = isFirstUse
    ? live.createdAt
    : seenLiveAt === undefined
      ? undefined
      : new Date(seenLiveAt).toISOString();
  return {
    targetUid: target.uid,
    replicaSetUid: live.uid,
    podTemplateHash: live.podTemplateHash,
    revision: live.revision,
    ...(startedAt === undefined ? {} : { startedAt }),
  };
}

/** The live release in the terms of the decision core. */
export function toRelease(
  live: Pick<RevisionIdentity, "uid" | "revision" | "podTemplateHash">,
  ledger: RollbackLedgerSpec | undefined,
): Release {
  const known = findRelease(ledger, live);
  return {
    replicaSetUid: live.uid,
    revision: live.revision,
    podTemplateHash: live.podTemplateHash,
    startedAt: known?.startedAt === undefined ? undefined : Date.parse(known.startedAt),
    productOfRollback: known?.rollbackBy === undefined ? undefined : { request: known.rollbackBy },
  };
}

export function findRelease(
  ledger: RollbackLedgerSpec | undefined,
  live: Pick<RevisionIdentity, "uid" | "revision">,
): LedgerRelease | undefined {
  return ledger?.releases.findLast(
    ({ replicaSetUid, revision }) => replicaSetUid === live.uid && revision === live.revision,
  );
}

/** Whether this very release has baked. */
export function isKnownGood(
  ledger: RollbackLedgerSpec | undefined,
  live: Pick<RevisionIdentity, "uid" | "revision">,
): boolean {
  return (
    ledger?.knownGood.some(
      ({ replicaSetUid, revision }) => replicaSetUid === live.uid && revision === live.revision,
    ) ?? false
  );
}
