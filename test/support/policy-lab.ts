import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mergePatch } from "../../src/kube/patch.ts";
import {
  ROLLBACK_LEDGERS,
  ROLLBACK_POLICIES,
  ROLLBACK_REQUESTS,
  type RollbackLedger,
  type RollbackPolicy,
  type RollbackRequest,
} from "../../src/kube/rollback-kinds.ts";
import type { RollbackPolicyStatus } from "../../src/crds/policy-status.ts";
import { eventType, type KubeEvent } from "../../src/kube/well-known.ts";
import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import type { ControlPlane } from "../cluster/control-plane.ts";
import { startExporter, type ExportedService, type Exporter } from "./exporter.ts";
import { statusComplaints, type ConditionedObject, type ConditionView } from "./kstatus.ts";
import { FAST_ELECTION, type OperatorProcess, type OperatorProcessOptions } from "./operator-process.ts";
import { startPrometheusFaultProxy, type PrometheusFaultProxy } from "./prometheus-fault.ts";
import { promtool, startPrometheus, type Prometheus } from "./prometheus.ts";
import { openShop, type PartialSpec, type Shop } from "./shop.ts";
import { startWorld, until, type World } from "./world.ts";

export interface PolicyLabOptions {
  /** Namespaces that Prometheus scrapes, each as application `web`. */
  readonly namespaces: readonly string[];
  /** Prometheus servers by name, each through a proxy of its own; `default` is always there. */
  readonly servers?: Readonly<Record<string, PartialSpec>>;
  /** What Prometheus knows from the beginning, as OpenMetrics text. */
  readonly history?: string;
  /** Alerting rules of the real Prometheus, evaluated every second. */
  readonly rules?: readonly PartialSpec[];
  /** More of the operator's configuration; without `leaderElection` one fast enough for tests. */
  readonly config?: PartialSpec;
  /** Given: the operators reach the API server there instead. */
  readonly behind?: (controlPlane: ControlPlane) => Promise<ApiAddress>;
}

export type ApiAddress = Pick<OperatorProcessOptions, "server" | "caData">;

/** A control plane with the operator, a real Prometheus behind fault proxies, and services that are scraped. */
export interface PolicyLab {
  readonly world: World;
  readonly prometheus: Prometheus;
  /** The newest operator process. */
  operator(): OperatorProcess;
  /** Starts another operator process, with more configuration. */
  startOperator(
    config?: PartialSpec,
    options?: Pick<OperatorProcessOptions, "awaitReady">,
  ): Promise<OperatorProcess>;
  /** Gives the newest operator process another configuration file: that of the lab with these parts changed. */
  configure(config: PartialSpec): Promise<void>;
  /** An entry of `prometheus.servers` that leads to the proxy of that server. */
  serverEntry(name: string): PartialSpec;
  proxy(server: string): PrometheusFaultProxy;
  /** A namespace with a healthy Deployment `web:v1` under traffic. */
  service(namespace: string, options?: ServiceOptions): Promise<PolicyService>;
  /** Every kstatus rule that any stored status of our kinds broke. */
  complaints(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export interface ServiceOptions {
  /** False: the namespace has no account to act as. */
  readonly executor?: boolean;
  /** False: no Deployment yet. */
  readonly deployed?: boolean;
}

/** One service with its policy `web`. */
export interface PolicyService extends ExportedService {
  readonly namespace: string;
  readonly shop: Shop;
  /** Makes a policy that decides within seconds, with the given parts of its spec changed. */
  watch(change?: PartialSpec, name?: string): Promise<void>;
  /** Merge-patches the policy's spec. */
  change(spec: PartialSpec): Promise<void>;
  policy(name?: string): Promise<RollbackPolicy>;
  /** The policy once the condition has this status (and reason). */
  shows(type: string, status: string, reason?: string, name?: string): Promise<ConditionView>;
  /** Waits until the live release is known good. */
  baked(): Promise<void>;
  /** A second revision while the first is known good, ready to be rolled back to it, seen healthy since its start. */
  released(image?: string): Promise<void>;
  requests(): Promise<readonly RollbackRequest[]>;
  /** The automatic requests once there are `count`. */
  requested(count?: number): Promise<readonly RollbackRequest[]>;
  ledger(): Promise<RollbackLedger | undefined>;
  /** The policy's newest decision once it has this verdict: it is told a moment after it was acted on. */
  decided(verdict: string): Promise<NonNullable<RollbackPolicyStatus["lastDecision"]>>;
  /** Notes of the events about the policy with this reason, as of now. */
  notes(reason: string): Promise<readonly string[]>;
  /** The same once there is one: events are written a moment later. */
  told(reason: string): Promise<readonly string[]>;
  /** The event RollbackHeld with this reason of a guard, when it has come; nothing was made and nothing patched since. */
  held(reason: string): Promise<string>;
  /** Accepted creates of requests here, and accepted writes to the Deployment by the executor. */
  acts(): Promise<readonly AuditEvent[]>;
}

export const ERROR_RATE = {
  name: "error-rate",
  prometheus: {
    ratio: { bad: 'http_requests_total{status=~"5.."}', total: "http_requests_total", window: "4s" },
    match: { app: "web" },
    minimumRequests: 20,
  },
};

export const CRITICAL = {
  name: "critical",
  when: { signal: "error-rate", above: "0.10", for: "2s" },
  severity: "SEV1",
  action: "Rollback",
};

/** Generous: other tests use the machine too. */
const PATIENCE_MS = 60_000;

export async function startPolicyLab(options: PolicyLabOptions): Promise<PolicyLab> {
  const world = await startWorld();
  const exporter = await startExporter();
  const dir = await mkdtemp(join(tmpdir(), "rollback-policy-lab-"));
  if (options.history !== undefined) {
    await writeFile(join(dir, "history.om"), options.history);
    await promtool(["tsdb", "create-blocks-from", "openmetrics", "history.om", "data"], dir);
  }
  const { rules = [] } = options;
  await writeFile(
    join(dir, RULES_FILE),
    JSON.stringify({ groups: rules.length === 0 ? [] : [{ name: "alerts", interval: "1s", rules }] }),
  );
  const prometheus = await startPrometheus({
    dir,
    listen: "127.0.0.1:0",
    configText: scrapeConfig(exporter, options.namespaces),
  });
  const servers = { default: {}, ...options.servers };
  const proxies = new Map<string, PrometheusFaultProxy>();
  for (const name of Object.keys(servers)) {
    proxies.set(name, await startPrometheusFaultProxy(prometheus.url));
  }
  const operators: OperatorProcess[] = [];
  const serverEntry = (name: string) => ({
    name,
    url: proxies.get(name)?.url,
    scrapeInterval: "1s",
    ...Object.entries(servers).find(([key]) => key === name)?.[1],
  });
  const configOf = (config: PartialSpec) => {
    const list = Object.keys(servers).map(serverEntry);
    const changed = { ...options.config, ...config };
    // The services of a lab are broken together, which would look like a shared dependency.
    const limits = { sharedBreachTargets: 0, ...(changed["limits"] as PartialSpec | undefined) };
    const merged = { prometheus: { servers: list }, ...changed, limits };
    // JSON is YAML's flow style; the election's line is a block of its own.
    return `${"leaderElection" in merged ? "" : FAST_ELECTION}${blockOf(JSON.stringify(merged))}`;
  };
  const address = await options.behind?.(world.controlPlane);
  const startOperator: PolicyLab["startOperator"] = async (config = {}, process = {}) => {
    const started = await world.operator({ ...address, ...process, config: configOf(config) });
    operators.push(started);
    return started;
  };
  const newest = () => {
    const operator = operators.at(-1);
    if (operator === undefined) throw new Error("no operator was started");
    return operator;
  };
  await startOperator();
  return {
    world,
    prometheus,
    operator: newest,
    startOperator,
    configure: (config) => writeFile(newest().configPath, configOf(config)),
    serverEntry,
    proxy: (name) => {
      const proxy = proxies.get(name);
      if (proxy === undefined) throw new Error(`no Prometheus server ${name} in this lab`);
      return proxy;
    },
    service: (namespace, serviceOptions) => openService(world, exporter, namespace, serviceOptions),
    complaints: async () => statusComplaints(await writtenStatuses(world)),
    async stop() {
      await world.stop();
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
      await prometheus.stop();
      await exporter.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Every version that a write of a status made; a spec that was just edited is not the operator's to answer for. */
async function writtenStatuses(world: World): Promise<readonly ConditionedObject[]> {
  const audit = await readAudit(world.controlPlane.auditLogPath);
  const writes = audit.writes({ apiGroup: "rollback.llm-research-lab.io", subresource: "status" });
  return writes.map(({ responseObject }) => responseObject as ConditionedObject);
}

/** Members of a JSON object as lines of a YAML mapping. */
function blockOf(json: string): string {
  return Object.entries(JSON.parse(json) as Record<string, unknown>)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join("");
}

const RULES_FILE = "rules.yml";

function scrapeConfig(exporter: Exporter, namespaces: readonly string[]): string {
  return JSON.stringify({
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: [RULES_FILE],
    scrape_configs: [
      {
        job_name: "web",
        static_configs: namespaces.map((namespace) => ({
          targets: [exporter.address],
          labels: { namespace, app: "web", __metrics_path__: `/${namespace}` },
        })),
      },
    ],
  });
}

async function openService(
  world: World,
  exporter: Exporter,
  namespace: string,
  options: ServiceOptions = {},
): Promise<PolicyService> {
  const { client, controlPlane } = world;
  const { signal } = new AbortController();
  const exported = exporter.service(namespace);
  const shop = await openShop(world, namespace, { executor: options.executor !== false });
  exported.traffic(50, 0);
  if (options.deployed !== false) await shop.open();

  const policy = (name = "web") => client.get(ROLLBACK_POLICIES, { namespace, name }, { signal });
  const requests = async () => (await client.list(ROLLBACK_REQUESTS, { namespace, signal })).items;
  const events = async () => (await client.list(eventType, { namespace, signal })).items;
  const notes = async (reason: string) =>
    (await events()).filter((event) => isAbout(event, reason)).map(({ note = "" }) => note);
  const acts = async () => {
    const audit = await readAudit(controlPlane.auditLogPath);
    return [
      ...audit.writes({ resource: "rollbackrequests", subresource: "", verb: "create", namespace }),
      ...audit.writes({ resource: "deployments", subresource: "", namespace, actor: shop.executor }),
    ];
  };
  const released = async (image = "web:v2") => {
    await shop.release(image);
    const { metadata } = await shop.live();
    const revision = Number(metadata.annotations?.["deployment.kubernetes.io/revision"]);
    await until(
      `${namespace} could be rolled back and is Ok`,
      policy,
      ({ status }) =>
        status?.release?.revision === revision &&
        conditionOf(status, "RollbackReady")?.status === "True" &&
        status.signals?.every(({ state }) => state === "Ok") === true,
      PATIENCE_MS,
    );
  };

  return {
    ...exported,
    namespace,
    shop,
    policy,
    requests,
    notes,
    told: (reason) =>
      until(
        `${namespace} tells ${reason}`,
        () => notes(reason),
        (list) => list.length > 0,
      ),
    async decided(verdict) {
      const { status } = await until(
        `${namespace} decides ${verdict}`,
        () => policy(),
        (each) => each.status?.lastDecision?.verdict === verdict,
        PATIENCE_MS,
      );
      if (status?.lastDecision === undefined) throw new Error("a decision that was just there is gone");
      return status.lastDecision;
    },
    acts,
    released,
    async watch(change = {}, name = "web") {
      const spec = { ...quickSpec(), ...change } as unknown as RollbackPolicy["spec"];
      await client.create(ROLLBACK_POLICIES, { metadata: { namespace, name }, spec }, { signal });
    },
    async change(spec) {
      await client.patch(ROLLBACK_POLICIES, { namespace, name: "web" }, mergePatch({ spec }), { signal });
    },
    async shows(type, status, reason, name) {
      const found = await until(
        `policy ${namespace}/${name ?? "web"} shows ${type} ${status} ${reason ?? ""}`,
        () => policy(name),
        (now) => {
          const condition = conditionOf(now.status, type);
          return condition?.status === status && (reason === undefined || condition.reason === reason);
        },
        PATIENCE_MS,
      );
      const condition = conditionOf(found.status, type);
      if (condition === undefined) throw new Error("a condition that was just there is gone");
      return condition;
    },
    async baked() {
      await until(
        `${namespace} known good`,
        policy,
        ({ status }) => status?.release?.knownGoodSince !== undefined,
        PATIENCE_MS,
      );
    },
    async requested(count = 1) {
      try {
        return await until(
          `${count} requests in ${namespace}`,
          requests,
          (items) => items.length >= count,
          PATIENCE_MS,
        );
      } catch (error) {
        // Why there is none, only the policy tells.
        const { status } = await policy();
        throw new Error(`no request; the policy says ${JSON.stringify(status)}`, { cause: error });
      }
    },
    async ledger() {
      const { items } = await client.list(ROLLBACK_LEDGERS, { namespace, signal });
      return items[0];
    },
    async held(reason) {
      const before = await acts();
      const found = await until(
        `${namespace} held: ${reason}`,
        () => notes("RollbackHeld"),
        (list) => list.some((note) => note.includes(`held, ${reason}: `)),
        PATIENCE_MS,
      );
      const after = await acts();
      if (after.length !== before.length) throw new Error(`${namespace} acted although held: ${reason}`);
      return found.findLast((note) => note.includes(`held, ${reason}: `)) ?? "";
    },
  };
}

function isAbout(event: KubeEvent, reason: string): boolean {
  return event.regarding?.kind === "RollbackPolicy" && event.reason === reason;
}

export function conditionOf(
  status: { readonly conditions?: readonly ConditionView[] | undefined } | undefined,
  type: string,
): ConditionView | undefined {
  return status?.conditions?.find((each) => each.type === type);
}

/** The smallest lengths of time that a scrape interval of 1 s allows. */
function quickSpec(): PartialSpec {
  return {
    target: { kind: "Deployment", name: "web" },
    serviceAccountName: "rollback-executor",
    interval: "1s",
    bake: "2s",
    signals: [ERROR_RATE],
    matrix: [CRITICAL],
    verification: { settle: "0s", soak: "2s", interval: "1s" },
    guards: { settle: "0s", cooldown: "30m", maxPerDay: 3, maxBreachAge: "20m" },
  };
}
