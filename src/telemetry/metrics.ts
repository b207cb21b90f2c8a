import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { isFinalPhase } from "../controllers/request/phase.ts";
import { GitOpsOwnerKind } from "../crds/gitops-hold.ts";
import { Phase } from "../crds/rollback-request.ts";
import type { RequestObservation } from "../kube/transport.ts";
import type { WorkQueueHooks } from "../kube/work-queue.ts";

const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface MetricDescription {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Every metric of the operator; the only module that knows prom-client. Labels are bounded sets. */
export interface Metrics {
  /** What is registered, without the process's own metrics: for the documentation. */
  describe(): readonly MetricDescription[];
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
  apiRequest(observation: RequestObservation): void;
  queueHooks(name: string): WorkQueueHooks;
  leading(isLeader: boolean): void;
  requestFinished(fact: { readonly trigger: string; readonly result: string }): void;
  stepFinished(fact: { readonly action: string; readonly result: string; readonly seconds: number }): void;
  decision(fact: { readonly action: string; readonly verdict: string }): void;
  sample(state: string): void;
  policies(counts: ReadonlyMap<string, number>): void;
  /** Requests that wait for a person. */
  approvalsWaiting(count: number): void;
  /** What stops GitOps tools; asked whenever the metrics are read. */
  holds(count: () => ReadonlyMap<string, { readonly count: number; readonly oldest: number }>): void;
  detection(seconds: number): void;
  recovery(seconds: number): void;
  prometheusQuery(fact: { readonly server: string; readonly result: string; readonly seconds: number }): void;
  /** Settings of the valid file in force now that wait for a restart. */
  configLoaded(fact: { readonly atMs: number; readonly needRestart: readonly string[] }): void;
  configRefused(): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const ofProcess = new Set(registry.getMetricsAsArray().map(({ name }) => name));
  const apiRequests = new Counter({
    name: "rest_client_requests_total",
    help: "Requests to the API server by verb, resource and code.",
    labelNames: ["verb", "resource", "code"],
    registers,
  });
  const apiSeconds = new Histogram({
    name: "rest_client_request_duration_seconds",
    help: "Latency of requests to the API server.",
    labelNames: ["verb"],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  const leader = new Gauge({
    name: "leader_election_master_status",
    help: "1 while this process leads.",
    registers,
  });
  const requests = new Counter({
    name: "rollback_requests_total",
    help: "RollbackRequests that ended, by trigger and result.",
    labelNames: ["trigger", "result"],
    registers,
  });
  // A series that begins with its first failure has no increase: alerts need the zero before it.
  for (const trigger of ["automatic", "person"]) {
    for (const result of Phase.options.filter(isFinalPhase)) requests.inc({ trigger, result }, 0);
  }
  const steps = new Histogram({
    name: "rollback_step_duration_seconds",
    help: "From the announcement of a step to its end.",
    labelNames: ["action", "result"],
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600],
    registers,
  });
  const decisions = new Counter({
    name: "rollback_decisions_total",
    help: "Decisions of policies by action and verdict.",
    labelNames: ["action", "verdict"],
    registers,
  });
  const samples = new Counter({
    name: "rollback_samples_total",
    help: "Samples of signals by state.",
    labelNames: ["state"],
    registers,
  });
  const policies = new Gauge({
    name: "rollback_policies",
    help: "Policies by state.",
    labelNames: ["state"],
    registers,
  });
  const approvals = new Gauge({
    name: "rollback_approvals_waiting",
    help: "RollbackRequests that wait for approval.",
    registers,
  });
  const detection = new Histogram({
    name: "rollback_detection_seconds",
    help: "From the first breach that fires a row to the decision, without the row's own `for`.",
    buckets: LATENCY_BUCKETS,
    registers,
  });
  const recovery = new Histogram({
    name: "rollback_recovery_seconds",
    help: "From the first breach to the end of the verification.",
    buckets: [10, 30, 60, 120, 300, 600, 1200, 3600],
    registers,
  });
  const prometheus = new Histogram({
    name: "rollback_prometheus_query_duration_seconds",
    help: "Queries to Prometheus servers by server and result.",
    labelNames: ["server", "result"],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  const reloadSuccess = new Gauge({
    name: "rollback_config_reload_success",
    help: "1 while the configuration in force is the file's, 0 while the file is refused and the old one kept.",
    registers,
  });
  const reloadTime = new Gauge({
    name: "rollback_config_last_reload_timestamp_seconds",
    help: "When a configuration file was last taken into force.",
    registers,
  });
  const restart = new Gauge({
    name: "rollback_config_restart_needed",
    help: "1 for a setting of the file that takes effect with the next start only.",
    labelNames: ["setting"],
    registers,
  });
  const queueHooks = createQueueHooks(registers);
  const countHolds = createHoldGauges(registers);
  return {
    describe: () =>
      registry
        .getMetricsAsArray()
        .filter(({ name }) => !ofProcess.has(name))
        .map((metric) => ({ name: metric.name, labels: labelsOf(metric) })),
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    apiRequest({ verb, resource, code, seconds }) {
      apiRequests.inc({ verb, resource, code: String(code) });
      // A watch lives for minutes: its length says nothing about the server.
      if (verb !== "watch") apiSeconds.observe({ verb }, seconds);
    },
    queueHooks,
    leading: (isLeader) => leader.set(isLeader ? 1 : 0),
    requestFinished: (fact) => requests.inc(fact),
    stepFinished: ({ seconds, ...labels }) => steps.observe(labels, seconds),
    decision: (fact) => decisions.inc(fact),
    sample: (state) => samples.inc({ state }),
    policies: (counts) => counts.forEach((count, state) => policies.set({ state }, count)),
    approvalsWaiting: (count) => approvals.set(count),
    holds: countHolds,
    detection: (seconds) => detection.observe(seconds),
    recovery: (seconds) => recovery.observe(seconds),
    prometheusQuery: ({ seconds, ...labels }) => prometheus.observe(labels, seconds),
    configLoaded({ atMs, needRestart }) {
      reloadSuccess.set(1);
      reloadTime.set(atMs / 1_000);
      restart.reset();
      for (const setting of needRestart) restart.set({ setting }, 1);
    },
    configRefused: () => reloadSuccess.set(0),
  };
}

/** prom-client keeps them, but its types do not say so. */
function labelsOf(metric: object): readonly string[] {
  return "labelNames" in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
}

const HOLD_KINDS = GitOpsOwnerKind.options;

function createHoldGauges(registers: Registry[]): Metrics["holds"] {
  let count: Parameters<Metrics["holds"]>[0] = () => new Map();
  const holds = new Gauge({
    name: "rollback_holds",
    help: "GitOps objects that are stopped until Git agrees, by kind.",
    labelNames: ["kind"],
    registers,
    collect() {
      const counts = count();
      for (const kind of HOLD_KINDS) this.set({ kind }, counts.get(kind)?.count ?? 0);
    },
  });
  const age = new Gauge({
    name: "rollback_hold_age_seconds",
    help: "Age of the oldest hold of each kind; 0 where there is none.",
    labelNames: ["kind"],
    registers,
    collect() {
      const counts = count();
      for (const kind of HOLD_KINDS) {
        const oldest = counts.get(kind)?.oldest;
        this.set({ kind }, oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1_000);
      }
    },
  });
  for (const kind of HOLD_KINDS) for (const gauge of [holds, age]) gauge.set({ kind }, 0);
  return (next) => {
    count = next;
  };
}

function createQueueHooks(registers: Registry[]): Metrics["queueHooks"] {
  const labelNames = ["name"];
  const depth = new Gauge({ name: "workqueue_depth", help: "Keys that are due.", labelNames, registers });
  const adds = new Counter({ name: "workqueue_adds_total", help: "Keys added.", labelNames, registers });
  const retries = new Counter({
    name: "workqueue_retries_total",
    help: "Keys added after a failure.",
    labelNames,
    registers,
  });
  const waited = new Histogram({
    name: "workqueue_queue_duration_seconds",
    help: "From due to taken.",
    labelNames,
    buckets: LATENCY_BUCKETS,
    registers,
  });
  const worked = new Histogram({
    name: "workqueue_work_duration_seconds",
    help: "From taken to done.",
    labelNames,
    buckets: LATENCY_BUCKETS,
    registers,
  });
  return (name) => ({
    onDepth: (ready) => depth.set({ name }, ready),
    onAdd: () => adds.inc({ name }),
    onRetry: () => retries.inc({ name }),
    onTaken: (seconds) => waited.observe({ name }, seconds),
    onDone: (seconds) => worked.observe({ name }, seconds),
  });
}
