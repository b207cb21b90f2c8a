import type { RollbackLedgerSpec } from "../../src/crds/rollback-ledger.ts";
import { ROLLBACK_LEDGERS, ROLLBACK_REQUESTS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import {
  deploymentType,
  leaseType,
  replicaSetType,
  type Deployment,
  type Lease,
} from "../../src/kube/well-known.ts";
import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import { waitFor } from "../cluster/readiness.ts";
import { proxyIdentity, startFaultProxy, type FaultProxy, type ProxyIdentity } from "./fault-proxy.ts";
import type { OperatorProcess } from "./operator-process.ts";
import { startWorld, until, type World } from "./world.ts";

export const EXECUTOR = "rollback-executor";

/** Shorter still than FAST_ELECTION: this suite waits for a dead leader's lease to expire many dozen times. */
export const SHORT_LEASE = "leaderElection: {leaseDuration: 2s, renewDeadline: 1500ms, retryPeriod: 200ms}\n";

/** For many requests at once: two seconds hold three samples only if none is late. */
export const LONGER_SOAK = "4s";

/** An operator process whose every call goes through a proxy of its own. */
export interface ProxiedOperator {
  readonly process: OperatorProcess;
  readonly proxy: FaultProxy;
  /** SIGKILL; nothing of it gets through any more once this resolves. May be called more than once. */
  kill(): Promise<void>;
  isLeading(): Promise<boolean>;
}

export interface CrashWorld {
  readonly world: World;
  spawn(options?: SpawnOptions): Promise<ProxiedOperator>;
  /** Makes Deployments of one pod each that run v2 now and ran v1 before. */
  releaseTwice(namespace: string, names: readonly string[]): Promise<void>;
  applyVersion(namespace: string, names: readonly string[], version: string): Promise<void>;
  /** A request by a person; by default to the previous revision, verified over 2 s. */
  createRequest(
    namespace: string,
    name: string,
    deployment: string,
    options?: { readonly to?: object; readonly soak?: string; readonly approval?: "Auto" | "Required" },
  ): Promise<void>;
  facts(namespace: string, deployment: string): Promise<TargetFacts>;
  stop(): Promise<void>;
}

export interface SpawnOptions {
  readonly config?: string;
  /** Called with the proxy before the process starts. */
  readonly prepare?: (proxy: FaultProxy) => void;
}

/** What the world holds about one target, read as the administrator. */
export interface TargetFacts {
  readonly deployment: Deployment;
  readonly image: string;
  /** Revision number of each ReplicaSet, by its image. */
  readonly revisions: Readonly<Record<string, string>>;
  readonly requests: readonly RollbackRequest[];
  readonly ledger: RollbackLedgerSpec | undefined;
  /** Locks of the whole cluster: there must be none when everything is at rest. */
  readonly locks: readonly Lease[];
  /** Accepted writes of an executor to this Deployment, from the audit log. */
  readonly patches: readonly AuditEvent[];
  /** Accepted status writes of each request, in the order in which they were stored. */
  readonly statusWrites: (request: string) => readonly RequestStatus[];
}

type RequestStatus = NonNullable<RollbackRequest["status"]>;

const never = new AbortController().signal;

export async function startCrashWorld(): Promise<CrashWorld> {
  const world = await startWorld();
  const { client, controlPlane, kubectl } = world;
  const identity = await proxyIdentity(controlPlane.dir, "proxy");
  const spawned: ProxiedOperator[] = [];

  async function applyVersion(namespace: string, names: readonly string[], version: string): Promise<void> {
    const items = names.map((name) => deploymentManifest(name, version));
    await kubectl(
      ["apply", "-n", namespace, "-f", "-"],
      JSON.stringify({ apiVersion: "v1", kind: "List", items }),
    );
    await until(
      `${version} everywhere`,
      async () => (await client.list(deploymentType, { namespace, signal: never })).items,
      (items) => items.filter(({ metadata }) => names.includes(metadata.name)).every(isRolledOut),
      60_000,
    );
  }

  let ordinal = 0;
  return {
    world,
    async spawn(options = {}) {
      // Counted before anything is waited for: two that start at once must not share a name, and so a kubeconfig.
      ordinal += 1;
      const operator = await spawnProxied(world, identity, ordinal, options);
      spawned.push(operator);
      return operator;
    },
    applyVersion,
    async releaseTwice(namespace, names) {
      await applyVersion(namespace, names, "v1");
      await applyVersion(namespace, names, "v2");
    },
    async createRequest(namespace, name, deployment, options = {}) {
      const { to = { strategy: "Previous" }, soak = "2s", approval = "Auto" } = options;
      await client.create(
        ROLLBACK_REQUESTS,
        {
          metadata: { namespace, name },
          spec: {
            reason: "crash test",
            steps: [{ name: "app", workload: { kind: "Deployment", name: deployment, to } }],
            serviceAccountName: EXECUTOR,
            approval,
            verification: { settle: "0s", soak, interval: "1s" },
          } as unknown as RollbackRequest["spec"],
        },
        { signal: never },
      );
    },
    facts: (namespace, deployment) => readFacts(world, namespace, deployment),
    async stop() {
      await Promise.all(spawned.map((operator) => operator.kill()));
      await Promise.all(spawned.map(({ proxy }) => proxy.close()));
      await world.stop();
    },
  };
}

async function spawnProxied(
  world: World,
  identity: ProxyIdentity,
  ordinal: number,
  { config = SHORT_LEASE, prepare }: SpawnOptions,
): Promise<ProxiedOperator> {
  const proxy = await startFaultProxy(world.controlPlane, identity);
  prepare?.(proxy);
  const process = await world.operator({
    server: proxy.server,
    caData: proxy.caData,
    name: `proxied-${ordinal}`,
    config,
  });
  return {
    process,
    proxy,
    async kill() {
      await process.kill();
      proxy.cut();
    },
    isLeading: async () => /^leader_election_master_status 1$/m.test(await metricsOf(process)),
  };
}

async function metricsOf({ url }: OperatorProcess): Promise<string> {
  try {
    return await (await fetch(`${url}/metrics`)).text();
  } catch {
    return "";
  }
}

export function untilLeading(operator: ProxiedOperator, timeoutMs = 20_000): Promise<void> {
  return waitFor(`${operator.process.logPath} leads`, operator.isLeading, { timeoutMs, intervalMs: 25 });
}

async function readFacts(world: World, namespace: string, name: string): Promise<TargetFacts> {
  const { client, controlPlane } = world;
  const [deployment, replicaSets, requests, ledgers, leases] = await Promise.all([
    client.get(deploymentType, { namespace, name }, { signal: never }),
    client.list(replicaSetType, { namespace, signal: never }),
    client.list(ROLLBACK_REQUESTS, { namespace, signal: never }),
    client.list(ROLLBACK_LEDGERS, { namespace, signal: never }),
    client.list(leaseType, { namespace: "rollback-system", signal: never }),
  ]);
  const audit = await readAudit(controlPlane.auditLogPath);
  const own = replicaSets.items.filter(({ metadata }) =>
    metadata.ownerReferences?.some(({ uid }) => uid === deployment.metadata.uid),
  );
  return {
    deployment,
    image: deployment.spec.template.spec.containers[0]?.image ?? "",
    revisions: Object.fromEntries(
      own.map(({ metadata, spec }) => [
        spec.template.spec.containers[0]?.image ?? "",
        metadata.annotations?.["deployment.kubernetes.io/revision"] ?? "",
      ]),
    ),
    requests: requests.items.filter(({ status }) => status?.target === `Deployment/${name}`),
    ledger: ledgers.items.find(({ spec }) => spec.target.name === name)?.spec,
    locks: leases.items.filter(({ metadata }) => metadata.name.startsWith("target-")),
    patches: audit.writes({
      resource: "deployments",
      namespace,
      name,
      actor: `system:serviceaccount:${namespace}:${EXECUTOR}`,
    }),
    statusWrites: (request) =>
      audit
        .writes({ resource: "rollbackrequests", subresource: "status", namespace, name: request })
        .map(({ responseObject }) => responseObject as RollbackRequest)
        .sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
        .map(({ status }) => status ?? {}),
  };
}

function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  const replicas = spec.replicas ?? 1;
  return (
    status?.observedGeneration === metadata.generation &&
    status?.updatedReplicas === replicas &&
    status.availableReplicas === replicas &&
    status.replicas === replicas
  );
}

function deploymentManifest(name: string, version: string) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: "app", image: `web:${version}` }],
        },
      },
    },
  };
}
