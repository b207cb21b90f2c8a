import { previousReleases, rollbackTarget } from "../../controllers/policy/ledger-view.ts";
import { toRelease, viewTarget, type TargetView } from "../../controllers/policy/target.ts";
import type { KnownGoodRevision } from "../../decision/known-good.ts";
import type { Release } from "../../decision/release.ts";
import { must, NotKnown } from "./seen.ts";
import type { Snapshot } from "./snapshot.ts";

/** The workload as the operator sees it; undefined when it does not exist. Throws NotKnown. */
export function targetView({ deployment, replicaSets }: Snapshot): TargetView | undefined {
  const object = must(deployment);
  return object === undefined ? undefined : viewTarget(object, must(replicaSets));
}

/** Who the live release is: as the workload says, or else as the operator wrote. Throws NotKnown. */
function liveIdentity(snapshot: Snapshot) {
  const { deployment, replicaSets, policy } = snapshot;
  if (deployment.kind === "Seen" && replicaSets.kind === "Seen") return targetView(snapshot)?.live;
  const told = policy.status?.release;
  return told === undefined ? targetView(snapshot)?.live : { ...told, uid: told.replicaSetUid };
}

/**
 * The live release; undefined while there is none. What only the ledger tells throws NotKnown when it is asked for.
 * Throws NotKnown.
 */
export function liveRelease(snapshot: Snapshot): Release | undefined {
  const { ledger, policy } = snapshot;
  const live = liveIdentity(snapshot);
  if (live === undefined) return undefined;
  if (ledger.kind === "Seen") return toRelease(live, ledger.value);
  const told = policy.status?.release;
  const isTold = told?.replicaSetUid === live.uid && told.revision === live.revision;
  return {
    replicaSetUid: live.uid,
    revision: live.revision,
    podTemplateHash: live.podTemplateHash,
    get startedAt(): number | undefined {
      if (!isTold) throw new NotKnown(ledger);
      return told.startedAt === undefined ? undefined : Date.parse(told.startedAt);
    },
    get productOfRollback(): Release["productOfRollback"] {
      throw new NotKnown(ledger);
    },
  };
}

/** What the ledger would have a rollback go back to. Throws NotKnown. */
export function destination(snapshot: Snapshot): KnownGoodRevision | undefined {
  const release = liveRelease(snapshot);
  const view = targetView(snapshot);
  return release === undefined || view === undefined
    ? undefined
    : rollbackTarget(release, must(snapshot.ledger), view.revisions);
}

/** Releases since the last known good one, before the live one. Throws NotKnown. */
export function suspects(snapshot: Snapshot): readonly Release[] {
  const release = liveRelease(snapshot);
  return release === undefined ? [] : previousReleases(release, must(snapshot.ledger));
}
