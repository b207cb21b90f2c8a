import { POLICY_ANNOTATIONS } from "./crds/annotations.ts";
import { MapWatch } from "./config-maps/map-watch.ts";
import type { OperatorConfig } from "./config/schema.ts";
import { REQUESTS_BY_POLICY, requestPolicy } from "./controllers/policy/history.ts";
import {
  POLICIES_BY_TARGET,
  policyTarget,
  REPLICA_SETS_BY_OWNER,
  replicaSetOwner,
} from "./controllers/policy/ports.ts";
import { BY_TARGET, requestTargets } from "./controllers/request/request-controller.ts";
import type { KubeClient } from "./kube/client.ts";
import type { Clock, Random } from "./kube/clock.ts";
import { abortable } from "./kube/abort.ts";
import { resourceName, type KubeObject, type ResourceType } from "./kube/objects.ts";
import { createReflector, type Reflector, type ReflectorOptions } from "./kube/reflector.ts";
import {
  LEADER_LEASE,
  ROLLBACK_LEDGERS,
  ROLLBACK_POLICIES,
  ROLLBACK_REQUESTS,
} from "./kube/rollback-kinds.ts";
import { createStore, type Store, type StoreOptions } from "./kube/store.ts";
import { bareIdentity, identifyReplicaSets, stripDeployment } from "./kube/transforms.ts";
import { configMapType, deploymentType, leaseType, replicaSetType } from "./kube/well-known.ts";
import { followTargets } from "./signals/followed-targets.ts";
import { PodWatch } from "./signals/pods/pod-watch.ts";
import { ReportWatch } from "./signals/vulnerabilities/report-watch.ts";
import { daemonSetType, statefulSetType } from "./kube/workload-types.ts";
import type { Logger } from "./telemetry/logger.ts";
import { REVISION, REVISION_HISTORY } from "./workloads/revisions.ts";
import { HASH_LABEL } from "./workloads/template.ts";

export interface Cache<T extends KubeObject> {
  readonly type: ResourceType<T>;
  readonly store: Store<T>;
  readonly reflector: Reflector;
}

interface CacheOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: OperatorConfig;
  readonly log: Logger;
}

/** Everything the operator watches: its own kinds, workloads without templates, the kill switch. */
export function createCaches({ client, clock, random, config, log }: CacheOptions) {
  function cache<T extends KubeObject>(
    type: ResourceType<T>,
    storeOptions: StoreOptions<T> = {},
    scope: Pick<ReflectorOptions<T>, "namespaces" | "fieldSelector" | "metadataOnly"> = {},
  ): Cache<T> {
    const kind = resourceName(type);
    const store = createStore<T>({
      onListenerError: (error) => log.error({ error: String(error), kind }, "cache listener failed"),
      ...storeOptions,
    });
    const reflector = createReflector<T>({
      client,
      type,
      store,
      clock,
      random,
      namespaces: config.watchNamespaces,
      ...scope,
    });
    return { type, store, reflector };
  }

  const requests = cache(ROLLBACK_REQUESTS, {
    indexers: { [BY_TARGET]: requestTargets, [REQUESTS_BY_POLICY]: requestPolicy },
  });
  const policies = cache(ROLLBACK_POLICIES, { indexers: { [POLICIES_BY_TARGET]: policyTarget } });
  const ledgers = cache(ROLLBACK_LEDGERS);
  const deployments = cache(deploymentType, { transform: stripDeployment });
  const replicaSets = cache(
    replicaSetType,
    {
      transform: identifyReplicaSets({ labels: [HASH_LABEL], annotations: [REVISION, REVISION_HISTORY] }),
      indexers: { [REPLICA_SETS_BY_OWNER]: replicaSetOwner },
    },
    { metadataOnly: true },
  );
  // To wake requests that wait for them, and to know which are frozen.
  const statefulSets = cache(
    statefulSetType,
    { transform: bareIdentity([POLICY_ANNOTATIONS.freeze]) },
    { metadataOnly: true },
  );
  const daemonSets = cache(
    daemonSetType,
    { transform: bareIdentity([POLICY_ANNOTATIONS.freeze]) },
    { metadataOnly: true },
  );
  const killSwitch = cache(
    configMapType,
    {},
    { namespaces: [config.namespace], fieldSelector: `metadata.name=${config.killSwitch.configMap}` },
  );
  // Follows the lease only to hear of a change; the election reads for itself.
  const leaderLease = cache(
    leaseType,
    {},
    { namespaces: [config.namespace], fieldSelector: `metadata.name=${LEADER_LEASE.name}` },
  );
  // For signals: of the workloads only whose policies ask for them.
  const watchOptions = { client, clock, random, wholeCluster: config.watchNamespaces.length === 0 };
  const pods = new PodWatch(watchOptions);
  const reports = new ReportWatch(watchOptions);
  // For snapshots: of the ConfigMaps only that policies are concerned with, and of those the metadata.
  const maps = new MapWatch(watchOptions);
  const all: readonly Cache<never>[] = [
    requests,
    policies,
    ledgers,
    deployments,
    replicaSets,
    statefulSets,
    daemonSets,
    killSwitch,
  ] as never;

  return {
    requests,
    policies,
    ledgers,
    deployments,
    replicaSets,
    killSwitch,
    leaderLease,
    pods,
    reports,
    maps,
    /** Workloads of every kind: whose changes wake requests. */
    workloads: [
      { kind: "Deployment", store: deployments.store },
      { kind: "StatefulSet", store: statefulSets.store },
      { kind: "DaemonSet", store: daemonSets.store },
    ],
    /** Follows the cluster until the signal aborts. */
    async run(signal: AbortSignal): Promise<void> {
      const common = { policies: policies.store, clock };
      const stops = [
        followTargets({
          ...common,
          uses: (each) => each.pods !== undefined,
          follow: (targets) => pods.follow(targets),
        }),
        followTargets({
          ...common,
          uses: (each) => each.vulnerabilityReports !== undefined,
          follow: (targets) => reports.follow(targets),
        }),
      ];
      const watches = [...all, leaderLease].map(({ reflector }) => reflector.run(signal));
      await Promise.all([...watches, pods.run(signal), reports.run(signal), maps.run(signal)]);
      for (const stop of stops) stop();
    },
    /** Resolves when every cache holds its first list. Rejects when the signal aborts. */
    async synced(signal: AbortSignal): Promise<void> {
      while (all.some(({ store }) => !store.hasSynced())) {
        await abortable(clock.sleep(20, signal), signal);
      }
    },
    /** One sentence for each kind that is not known yet. */
    problems(): readonly string[] {
      return all
        .filter(({ store }) => !store.hasSynced())
        .map(({ type, reflector }) => {
          const error = reflector.health().lastError;
          return `${resourceName(type)}: ${error === undefined ? "first list has not arrived yet" : error.message}`;
        });
    },
  };
}
