import type { RollbackLedgerSpec } from "../crds/rollback-ledger.ts";
import type { PolicySignal } from "../crds/rollback-policy.ts";
import type { Reading } from "../decision/sample.ts";
import type { PrometheusServers } from "../prometheus/servers.ts";
import type { ClusterSignals } from "./cluster-signals.ts";
import { podsSource } from "./pods/pods-source.ts";

/** What a check looks at. */
export interface SampledPlace {
  readonly namespace: string;
  /** The workloads that were put back before it. */
  readonly restored: readonly RestoredWorkload[];
}

interface RestoredWorkload {
  readonly kind: string;
  readonly name: string;
  readonly revision: { readonly uid: string; readonly name: string; readonly revision: number };
}

/** Signals as checks after a rollback measure them: single readings, without a policy's runtime. */
export function singleSamples(servers: PrometheusServers, cluster: ClusterSignals) {
  return {
    /** At an instant, ms since the epoch. A signal that cannot be asked is an Error sample. */
    async sample(
      signal: PolicySignal,
      place: SampledPlace,
      at: number,
      abort: AbortSignal,
    ): Promise<Reading> {
      const { name, prometheus, alert, pods } = signal;
      const { namespace } = place;
      if (alert !== undefined) return servers.alertsOnce({ name, alert }, namespace, at, abort);
      if (prometheus !== undefined) {
        return servers.sampleOnce({ ...signal, prometheus }, namespace, at, abort);
      }
      return pods === undefined
        ? { kind: "Error", detail: `signal ${name} is not measured after a rollback` }
        : samplePods(pods, cluster, place, at, abort);
    },
    /** How far back a sample looks, ms. Pods of a release are younger than it, so theirs never looks too far. */
    lookbackMs(signal: PolicySignal): number {
      const { prometheus, alert } = signal;
      if (alert !== undefined) return servers.freshWithinMs(alert.server);
      return prometheus === undefined ? 0 : servers.lookbackMs({ ...signal, prometheus });
    },
  };
}

/** Of the release that the rollback made. */
async function samplePods(
  spec: NonNullable<PolicySignal["pods"]>,
  cluster: ClusterSignals,
  { namespace, restored }: SampledPlace,
  at: number,
  abort: AbortSignal,
): Promise<Reading> {
  const deployments = restored.filter(({ kind }) => kind === "Deployment");
  const [workload] = deployments;
  if (workload === undefined) return { kind: "NoData", detail: "no step before it put a Deployment back" };
  if (deployments.length > 1) {
    return { kind: "Ambiguous", detail: "several Deployments were put back, and the signal is about one" };
  }
  const { kind, name, revision } = workload;
  const target = { group: "apps", kind, namespace, name };
  const startedAt = startOf(cluster.ledger.get(target), revision);
  if (startedAt === undefined) {
    return { kind: "NoData", detail: `the start of revision ${revision.revision} is not recorded yet` };
  }
  const subject = {
    namespace,
    desiredReplicas: 1,
    live: { replicaSetUid: revision.uid, name: revision.name, revision: revision.revision, startedAt },
    rollbackTarget: undefined,
  };
  return podsSource({ spec, target, ...cluster }).read(at, subject, abort);
}

function startOf(
  ledger: RollbackLedgerSpec | undefined,
  { uid, revision }: RestoredWorkload["revision"],
): number | undefined {
  const release = ledger?.releases.findLast(
    (each) => each.replicaSetUid === uid && each.revision === revision,
  );
  return release?.startedAt === undefined ? undefined : Date.parse(release.startedAt);
}
