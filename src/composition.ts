import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Agent } from "undici";
import { createActions } from "./actions/registry.ts";
import { createCaches } from "./caches.ts";
import { createChecks } from "./checks/registry.ts";
import { SoakRuns } from "./checks/soak-runs.ts";
import type { LiveConfig } from "./config/live.ts";
import { runDueController } from "./controllers/due/due-controller.ts";
import { gitOpsPorts } from "./controllers/gitops.ts";
import { countHolds, runHoldController } from "./controllers/holds/hold-controller.ts";
import { createKillSwitch } from "./controllers/kill-switch.ts";
import { changeLedger, ledgerKey } from "./controllers/ledger/ledger.ts";
import { runHistoryController } from "./controllers/policy/history-controller.ts";
import { POLICIES_BY_TARGET } from "./controllers/policy/ports.ts";
import { RecentRollbacks } from "./controllers/policy/recent-rollbacks.ts";
import { ACT_FIRST_MS } from "./controllers/policy/reconcile.ts";
import { runPolicyController } from "./controllers/policy/policy-controller.ts";
import { UnaskedRuns } from "./controllers/policy/unasked-runs.ts";
import { runRequestController } from "./controllers/request/request-controller.ts";
import { TargetLocks } from "./controllers/request/target-lock.ts";
import { runSnapshotController } from "./controllers/snapshots/snapshot-controller.ts";
import type { Clock, Random } from "./kube/clock.ts";
import type { ClusterCredentials } from "./kube/credentials.ts";
import { errorMessage } from "./kube/errors.ts";
import { createEventRecorder } from "./kube/events.ts";
import { createKubeClient } from "./kube/http-client.ts";
import { createTransport } from "./kube/transport.ts";
import { replicaSetType } from "./kube/well-known.ts";
import { PrometheusServers } from "./prometheus/servers.ts";
import type { ClusterSignals } from "./signals/cluster-signals.ts";
import { singleSamples } from "./signals/sample-once.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import { policyObserver } from "./telemetry/policy-observer.ts";
import { requestObserver } from "./telemetry/request-observer.ts";

export interface Surroundings {
  readonly live: LiveConfig;
  readonly credentials: ClusterCredentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** How long events that were not written yet may delay the end, milliseconds. */
const LAST_EVENTS_MS = 1_000;

/** Wires everything that one operator process consists of; nothing runs yet. The only place that knows all parts. */
export function compose({ live, credentials, clock, random, log, metrics }: Surroundings) {
  // For what lives as long as the process; what can change meanwhile is read from `live` when it is needed.
  const config = live.current;
  const connect = (maxConnections?: number) =>
    createTransport({
      credentials,
      clock,
      random,
      userAgent: "rollback-operator",
      onRequest: metrics.apiRequest,
      ...(maxConnections === undefined ? {} : { maxConnections }),
    });
  const transport = connect();
  const client = createKubeClient({ transport, clock });
  // A renewal that waits behind a thousand policies' reads is leadership lost, and a rollback under way is not to wait.
  const leaseTransport = connect(1);
  const requestTransport = connect();
  const requestClient = createKubeClient({ transport: requestTransport, clock });
  const caches = createCaches({ client, clock, random, config, log });
  const events = createEventRecorder({
    client,
    clock,
    random,
    reportingController: "rollback.llm-research-lab.io/controller",
    reportingInstance: hostname(),
    holdMs: ACT_FIRST_MS,
    onError: (error) => log.warn({ error: errorMessage(error) }, "event not recorded"),
  });
  const killSwitch = createKillSwitch({
    store: caches.killSwitch.store,
    health: caches.killSwitch.reflector.health,
    namespace: config.namespace,
    ...config.killSwitch,
    clock,
  });
  const dispatcher = new Agent({ connections: 16, allowH2: false });
  const servers = new PrometheusServers(
    config.prometheus.servers,
    dispatcher,
    clock,
    metrics.prometheusQuery,
  );
  live.onChange(({ prometheus }) => servers.replace(prometheus.servers));
  const cluster: ClusterSignals = {
    pods: caches.pods,
    reports: caches.reports,
    async containersOf(namespace, { name, replicaSetUid }, signal) {
      const set = await client.tryGet(replicaSetType, { namespace, name }, { signal });
      if (set?.metadata.uid !== replicaSetUid) return undefined;
      return set.spec.template.spec.containers.map((container) => container.name);
    },
    ledger: {
      get: (target) => caches.ledgers.store.get(ledgerKey(target))?.spec,
      change: async (target, change, signal) => void (await changeLedger(client, target, change, signal)),
    },
    onError: (error) => log.warn({ error: errorMessage(error) }, "not recorded in the ledger yet"),
  };
  const checks = createChecks(singleSamples(servers, cluster));
  const soaks = new SoakRuns(checks);
  const actions = createActions({ stuckAfterMs: () => live.current.stuckAfter, soaks });
  const gitOps = gitOpsPorts(requestClient, () => {
    const { namespace, gitOps } = live.current;
    return { account: { namespace, name: gitOps.holdAccount }, argoCdNamespace: gitOps.argoCdNamespace };
  });
  const common = { client, clock, actions, gitOps, killSwitch: killSwitch.state, record: events.record };
  const onError = (what: string) => (key: string, error: unknown, retries: number) =>
    log.warn({ [what]: key, error: errorMessage(error), retries }, "reconcile failed, will be tried again");

  const unaskedRuns = new UnaskedRuns();
  const recent = new RecentRollbacks(caches.ledgers.store, () => clock.now());

  function runRequests(signal: AbortSignal): Promise<void> {
    return runRequestController(
      {
        ports: {
          ...common,
          client: requestClient,
          cached: (key) => caches.requests.store.get(key),
          cachedLedger: (key) => caches.ledgers.store.get(key),
          policiesOn: ({ namespace, kind, name }) =>
            caches.policies.store.byIndex(POLICIES_BY_TARGET, `${namespace}/${kind}/${name}`),
          workload: ({ namespace, kind, name }) =>
            caches.workloads.find((each) => each.kind === kind)?.store.get(`${namespace}/${name}`),
          cluster: () => ({
            automaticRollbacks: recent.times(),
            maxPerTenMinutes: live.current.limits.automaticRollbacksPer10Minutes,
          }),
          mayRunUnasked: (policy, plan) => unaskedRuns.allows(policy, plan, clock.now()),
          locks: new TargetLocks(requestClient, config.namespace),
          verifications: soaks,
          get defaultExecutor() {
            return live.current.executor.default;
          },
          observer: requestObserver(log, metrics, clock),
        },
        requests: caches.requests.store,
        workloads: caches.workloads,
        workers: {
          count: () => live.current.limits.concurrentRequests,
          onChange: (listener) => live.onChange(listener),
        },
        random,
        clock,
        hooks: metrics.queueHooks("request"),
        onError: onError("request"),
        onKillSwitch: killSwitch.onChange,
        onApprovals: metrics.approvalsWaiting,
      },
      signal,
    );
  }

  const views = {
    policies: caches.policies.store,
    requests: caches.requests.store,
    ledgers: caches.ledgers.store,
    deployments: caches.deployments.store,
    replicaSets: caches.replicaSets.store,
  };

  function runHistory(signal: AbortSignal): Promise<void> {
    return runHistoryController(
      {
        ports: { client, clock, ...views },
        random,
        clock,
        hooks: metrics.queueHooks("history"),
        onError: onError("history"),
      },
      signal,
    );
  }

  function runSnapshots(signal: AbortSignal): Promise<void> {
    const onForbidden = (policy: string, message: string) =>
      log.warn({ policy, error: message }, "the executor may not keep snapshots of ConfigMaps");
    return runSnapshotController(
      {
        ports: { client, clock, ...views, maps: caches.maps, onForbidden },
        random,
        clock,
        hooks: metrics.queueHooks("snapshot"),
        onError: onError("snapshots of policy"),
      },
      signal,
    );
  }

  function runDue(signal: AbortSignal): Promise<void> {
    return runDueController(
      {
        ports: {
          client: requestClient,
          clock,
          locks: new TargetLocks(requestClient, config.namespace),
          killSwitch: killSwitch.state,
          record: events.record,
          onFinished: (fact) => log.info(fact, "temporary change finished"),
        },
        store: caches.ledgers.store,
        random,
        hooks: metrics.queueHooks("due"),
        onError: onError("due"),
        onKillSwitch: killSwitch.onChange,
      },
      signal,
    );
  }

  function runHolds(signal: AbortSignal): Promise<void> {
    metrics.holds(() => countHolds(caches.requests.store.list()));
    return runHoldController(
      {
        ports: {
          ...common,
          client: requestClient,
          onEnded: (fact) => log.info(fact, "hold ended"),
        },
        store: caches.requests.store,
        random,
        hooks: metrics.queueHooks("hold"),
        onError: onError("holds of request"),
        onKillSwitch: killSwitch.onChange,
      },
      signal,
    );
  }

  function runPolicies(signal: AbortSignal): Promise<void> {
    return runPolicyController(
      {
        ports: {
          ...common,
          ...views,
          unaskedRuns,
          servers,
          cluster,
          observer: policyObserver(log, metrics),
          newId: randomUUID,
          get automaticRollbacksPer10Minutes() {
            return live.current.limits.automaticRollbacksPer10Minutes;
          },
          get sharedBreachTargets() {
            return live.current.limits.sharedBreachTargets;
          },
        },
        recent,
        random,
        clock,
        hooks: metrics.queueHooks("policy"),
        onError: onError("policy"),
        onPolicies: metrics.policies,
      },
      signal,
    );
  }

  return {
    /** For the leader's Lease alone: its one connection is never busy with anything else. */
    leaseClient: createKubeClient({ transport: leaseTransport, clock }),
    caches,
    /** All loops, until the signal aborts. Only the leader may run them. */
    async runControllers(signal: AbortSignal): Promise<void> {
      await caches.synced(signal);
      await Promise.all([
        runRequests(signal),
        runDue(signal),
        runHolds(signal),
        runPolicies(signal),
        runHistory(signal),
        runSnapshots(signal),
      ]);
    },
    async close(): Promise<void> {
      await events.flush(AbortSignal.timeout(LAST_EVENTS_MS)).catch(() => undefined);
      events.close();
      const transports = [transport, leaseTransport, requestTransport];
      await Promise.all([...transports.map((each) => each.close()), dispatcher.destroy()]);
    },
  };
}
