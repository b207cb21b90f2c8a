import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { compose } from "./composition.ts";
import { LiveConfig } from "./config/live.ts";
import { loadConfig } from "./config/load.ts";
import { followConfig } from "./follow-config.ts";
import { systemClock, type Clock } from "./kube/clock.ts";
import { loadCredentials, type ClusterCredentials } from "./kube/credentials.ts";
import { errorMessage } from "./kube/errors.ts";
import { leaseStore, runElection } from "./kube/leader-election.ts";
import { LEADER_LEASE } from "./kube/rollback-kinds.ts";
import { startHttpServer } from "./telemetry/http-server.ts";
import { createLogger } from "./telemetry/logger.ts";
import { createMetrics } from "./telemetry/metrics.ts";

export interface OperatorOptions {
  readonly kubeconfig?: string;
  readonly config?: string;
  readonly listen: { readonly host: string; readonly port: number };
}

/** After a termination signal everything must have ended in this time, milliseconds. */
const SHUTDOWN_MS = 9_000;

/**
 * Follows the cluster, waits to be elected, leads, until SIGTERM or SIGINT. Resolves with the exit code: 1 when
 * leadership was lost. Rejects with ConfigError, and when the credentials or the address cannot be used.
 */
export async function runOperator(options: OperatorOptions, clock: Clock = systemClock()): Promise<number> {
  const config = await loadConfig(options.config);
  const log = createLogger(config.logLevel);
  const metrics = createMetrics();
  const live = new LiveConfig(config);
  metrics.configLoaded({ atMs: clock.now(), needRestart: [] });
  const random = Math.random;
  const identity = `${hostname()}_${randomUUID()}`;
  const stop = stopSignal(() => log.error("shutdown took too long"));
  const credentials = await credentialsFrom(options.kubeconfig, clock);
  const { leaseClient, caches, runControllers, close } = compose({
    live,
    credentials,
    clock,
    random,
    log,
    metrics,
  });
  const http = await startHttpServer({
    ...options.listen,
    healthy: () => [],
    ready: () => caches.problems(),
    metrics: metrics.render,
  });
  log.info({ server: credentials.server, listen: `${options.listen.host}:${http.port}` }, "started");

  async function lead(signal: AbortSignal): Promise<void> {
    metrics.leading(true);
    log.info({ identity }, "leading");
    try {
      await runControllers(signal);
    } catch (error) {
      // Work that ends because leadership ended is no failure.
      if (!signal.aborted) throw error;
    }
  }

  live.onChange(({ logLevel }) => (log.level = logLevel));
  const following = Promise.all([
    caches.run(stop.signal),
    followConfig({ path: options.config, live, clock, log, metrics }, stop.signal),
  ]);
  try {
    const end = await runElection({
      lease: leaseStore(leaseClient, { namespace: config.namespace, name: LEADER_LEASE.name }),
      identity,
      clock,
      random,
      leaseDurationMs: config.leaderElection.leaseDuration,
      renewDeadlineMs: config.leaderElection.renewDeadline,
      retryPeriodMs: config.leaderElection.retryPeriod,
      onLeaseChange: (listener) => caches.leaderLease.store.onChange(listener),
      onStartedLeading: lead,
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
    await http.close();
    await following;
    await close();
    stop.done();
  }
}

async function credentialsFrom(kubeconfig: string | undefined, clock: Clock): Promise<ClusterCredentials> {
  try {
    return await loadCredentials({ kubeconfig, clock });
  } catch (error) {
    const where = kubeconfig === undefined ? "the pod's ServiceAccount" : `kubeconfig ${kubeconfig}`;
    const hint = kubeconfig === undefined ? "; outside a pod, name a file with --kubeconfig" : "";
    throw new Error(`no credentials from ${where}: ${errorMessage(error)}${hint}`, { cause: error });
  }
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
