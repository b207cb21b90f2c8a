import { BacktestError } from "../../backtest/backtest-error.ts";
import { orderedReleases, type PastRelease } from "../../backtest/past-release.ts";
import { readLedger } from "../../controllers/ledger/ledger.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { isForbidden } from "../../kube/errors.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import { imagesOf, type Revision } from "../../workloads/revisions.ts";
import type { Session } from "../session.ts";

export interface ClusterReleases {
  /** Oldest first. */
  readonly releases: readonly PastRelease[];
  /** What the cluster does not know any more. One sentence each. */
  readonly notes: readonly string[];
}

/** The releases of a policy's target as the cluster still knows them: revisions, and starts that the ledger saw. */
export async function releasesFromCluster(
  { client, signal }: Session,
  { metadata, spec }: RollbackPolicy,
  start: number,
): Promise<ClusterReleases> {
  const { kind, name } = spec.target;
  const namespace = metadata.namespace ?? "";
  const workload = await readWorkload(client, { namespace, kind, name }, signal);
  if (workload === undefined) {
    throw new BacktestError(
      `${kind} ${namespace}/${name} does not exist in this cluster: check target and --context`,
    );
  }
  try {
    const ledger = await readLedger(client, { group: "apps", namespace, kind, name }, signal);
    return clusterReleases(workload.revisions, ledger?.spec, start);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const { releases, notes } = clusterReleases(workload.revisions, undefined, start);
    const missing =
      "no right to read RollbackLedgers: starts of templates that were deployed again are not known";
    return { releases, notes: [...notes, missing] };
  }
}

/** Pure. `start` is where the replay begins: what was known good by then is known good in it. */
export function clusterReleases(
  revisions: readonly Revision[],
  ledger: RollbackLedgerSpec | undefined,
  start: number,
): ClusterReleases {
  const recorded = (ledger?.releases ?? []).flatMap((entry) => {
    if (entry.startedAt === undefined) return [];
    const revision = revisions.find(({ uid }) => uid === entry.replicaSetUid);
    const { replicaSetUid, podTemplateHash, rollbackBy } = entry;
    return [
      {
        replicaSetUid,
        podTemplateHash,
        revision: entry.revision,
        startedAt: Date.parse(entry.startedAt),
        image: revision === undefined ? undefined : imagesOf(revision.template).join(","),
        ...(rollbackBy === undefined ? {} : { productOfRollback: { request: rollbackBy } }),
      },
    ];
  });
  const isRecorded = (uid: string, number: number) =>
    recorded.some(({ replicaSetUid, revision }) => replicaSetUid === uid && revision === number);
  // A ReplicaSet is made for its first number; when it got a later one, only the ledger knows.
  const created = revisions.flatMap((revision) => {
    const { uid, podTemplateHash, createdAt, template } = revision;
    const first = Math.min(revision.revision, ...revision.formerRevisions);
    if (isRecorded(uid, first)) return [];
    const image = imagesOf(template).join(",");
    return [
      { replicaSetUid: uid, podTemplateHash, revision: first, startedAt: Date.parse(createdAt), image },
    ];
  });
  const unseen = revisions.filter(
    ({ uid, revision, formerRevisions }) => formerRevisions.length > 0 && !isRecorded(uid, revision),
  );
  const releases = orderedReleases(
    [...recorded, ...created].map((release) => ({
      ...release,
      completedAt: release.startedAt,
      isKnownGood: (ledger?.knownGood ?? []).some(
        ({ replicaSetUid, revision, since }) =>
          replicaSetUid === release.replicaSetUid &&
          revision === release.revision &&
          Date.parse(since) <= start,
      ),
    })),
  );
  return {
    releases,
    notes: [
      ...unseen.map(
        ({ revision }) =>
          `revision ${revision} is an older template deployed again, and nobody saw when: left out`,
      ),
      ...(releases.some(({ startedAt }) => startedAt <= start)
        ? []
        : [
            "no release is known that ran when the range begins: the cluster keeps a few revisions only, releases.json can hold more",
          ]),
    ],
  };
}
