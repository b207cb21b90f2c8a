import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Agent } from "undici";
import { workloadAction } from "./actions/workload/index.ts";
import { createChecks } from "./checks/registry.ts";
import { loadConfig } from "./config/load.ts";
import { createKillSwitch } from "./controllers/kill-switch.ts";
import { runPolicyController } from "./controllers/policy/policy-controller.ts";
import { runRequestController } from "./controllers/request/request-controller.ts";
import { TargetLocks } from "./controllers/request/target-lock.ts";
import { VerificationRuns } from "./controllers/request/verify.ts";
import { createCaches } from "./caches.ts";
import { systemClock } from "./kube/clock.ts";
import { loadCredentials } from "./kube/credentials.ts";
import { errorMessage } from "./kube/errors.ts";
import { createEventRecorder } from "./kube/events.ts";
import { createKubeClient } from "./kube/http-client.ts";
import { leaseStore, runElection } from "./kube/leader-election.ts";
import { createTransport } from "./kube/transport.ts";
import { PrometheusServers } from "./prometheus/servers.ts";
import { startHttpServer } from "./telemetry/http-server.ts";
import { createLogger } from "./telemetry/logger.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { policyObserver } from "./telemetry/policy-observer.ts";
import { requestObserver } from "./telemetry/request-observer.ts";

export interface OperatorOptions {
  readonly kubeconfig?: string;
  readonly config?: string;
  readonly listen: { readonly host: string; readonly port: number };
}

/** After a termination signal everything must have ended in this time, milliseconds. */
const SHUTDOWN_MS = 9_000;
const LEASE_NAME = "rollback-operator";

/** Runs until SIGTERM or SIGINT; resolves with the exit code. The only place that wires. Rejects with ConfigError. */
export async function runOperator(options: OperatorOptions): Promise<number> {
  const config = await loadConfig(options.config);
  const log = createLogger(config.logLevel);
  const metrics = createMetrics();
  const clock = systemClock();
  const random = Math.random;
  const identity = `${hostname()}_${randomUUID()}`;
  const stop = stopSignal(() => log.error("shutdown took too long"));

  const credentials = await loadCredentials({ kubeconfig: options.kubeconfig, clock });
  const transport = createTransport({
    credentials,
    clock,
    random,
    userAgent: "rollback-operator",
    onRequest: metrics.apiRequest,
  });
  const client = createKubeClient({ transport, clock });
  const caches = createCaches({ client, clock, random, config, log });
  const http = await startHttpServer({
    ...options.listen,
    healthy: () => [],
    ready: () => caches.problems(),
    metrics: metrics.render,
  });
  const events = createEventRecorder({
    client,
    clock,
    random,
    reportingController: "rollback.llm-research-lab.io/controller",
    reportingInstance: hostname(),
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
  const servers = new PrometheusServers(config.prometheus.servers, dispatcher, clock);
  const checks = createChecks((signal, namespace, at, abort) =>
    servers.sampleOnce(signal, namespace, at, abort),
  );

  const workload = workloadAction({ stuckAfterMs: config.stuckAfter });

  async function lead(signal: AbortSignal): Promise<void> {
    metrics.leading(true);
    log.info({ identity }, "leading");
    await caches.synced(signal);
    const requests = runRequestController(
      {
        ports: {
          client,
          clock,
          workload,
          locks: new TargetLocks(client, config.namespace),
          verifications: new VerificationRuns(checks),
          killSwitch: killSwitch.state,
          defaultExecutor: config.executor.default,
          record: events.record,
          observer: requestObserver(log, metrics, clock),
        },
        requests: caches.requests.store,
        deployments: caches.deployments.store,
        workers: config.limits.concurrentRequests,
        random,
        clock,
        hooks: metrics.queueHooks("request"),
        onError: (key, error, retries) =>
          log.warn(
            { request: key, error: errorMessage(error), retries },
            "reconcile failed, will be tried again",
          ),
        onKillSwitch: killSwitch.onChange,
      },
      signal,
    );
    const policies = runPolicyController(
      {
        ports: {
          client,
          clock,
          workload,
          servers,
          killSwitch: killSwitch.state,
          policies: caches.policies.store,
          requests: caches.requests.store,
          ledgers: caches.ledgers.store,
          deployments: caches.deployments.store,
          replicaSets: caches.replicaSets.store,
          record: events.record,
          observer: policyObserver(log, metrics),
          automaticRollbacksPer10Minutes: config.limits.automaticRollbacksPer10Minutes,
        },
        random,
        clock,
        hooks: metrics.queueHooks("policy"),
        onError: (key, error, retries) =>
          log.warn(
            { policy: key, error: errorMessage(error), retries },
            "evaluation failed, will be tried again",
          ),
        onPolicies: metrics.policies,
      },
      signal,
    );
    await Promise.all([requests, policies]);
  }

  log.info({ server: credentials.server, listen: `${options.listen.host}:${http.port}` }, "started");
  const following = caches.run(stop.signal);
  try {
    const end = await runElection({
      lease: leaseStore(client, { namespace: config.namespace, name: LEASE_NAME }),
      identity,
      clock,
      random,
      leaseDurationMs: config.leaderElection.leaseDuration,
      renewDeadlineMs: config.leaderElection.renewDeadline,
      retryPeriodMs: config.leaderElection.retryPeriod,
      onStartedLeading: (signal) =>
        lead(signal).catch((error: unknown) => rethrowUnlessStopped(error, signal)),
      onStoppedLeading: () => metrics.leading(false),
      onNewLeader: (leader) => log.info({ leader }, "leader seen"),
      onError: (error) => log.warn({ error: errorMessage(error) }, "lease not renewed"),
      signal: stop.signal,
    });
    if (end === "lost") {
      log.error("leadership lost, exiting so that nothing acts beside the new leader");
      return 1;
    }
    log.info("stopped");
    return 0;
  } finally {
    stop.abort();
    await events.flush(AbortSignal.timeout(1_000)).catch(() => undefined);
    events.close();
    await http.close();
    await following;
    await Promise.all([transport.close(), dispatcher.destroy()]);
    stop.done();
  }
}

/** Work that ends because leadership ended is no failure. */
function rethrowUnlessStopped(error: unknown, signal: AbortSignal): void {
  if (!signal.aborted) throw error;
}

/** Aborts on the first SIGTERM or SIGINT; a second one, or a shutdown that hangs, ends the process at once. */
function stopSignal(onHang: () => void) {
  const controller = new AbortController();
  let hang: NodeJS.Timeout | undefined;
  const abort = () => {
    if (controller.signal.aborted) return;
    controller.abort(new Error("the operator stops"));
    hang = setTimeout(() => {
      onHang();
      process.exit(1);
    }, SHUTDOWN_MS).unref();
  };
  const onSignal = () => (controller.signal.aborted ? process.exit(1) : abort());
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  return {
    signal: controller.signal,
    abort,
    done() {
      clearTimeout(hang);
      process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
    },
  };
}
