import type { KubeClient } from "../../src/kube/client.ts";
import { defineResource, type KubeObject, type ObjectMeta } from "../../src/kube/objects.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { emptyLedger, targetHash } from "../../src/controllers/ledger/ledger.ts";
import { ROLLBACK_LEDGERS, ROLLBACK_POLICIES, type RollbackPolicy } from "../../src/kube/rollback-kinds.ts";
import {
  deploymentType,
  namespaceType,
  podType,
  replicaSetType,
  type PodTemplateSpec,
} from "../../src/kube/well-known.ts";
import { addExecutor } from "../../test/support/shop.ts";
import { progress } from "../figures.ts";

/** How much stands in the cluster while the operator is looked at. */
export interface Population {
  readonly deployments: number;
  readonly replicaSetsPerDeployment: number;
  readonly podsPerReplicaSet: number;
  /** One for each of the first Deployments. */
  readonly policies: number;
  /** Other policies than those of `memory`. */
  readonly policyOf?: (name: string) => object;
  /** True: old ReplicaSets have no pods, and the ledger knows the last but one revision as good. */
  readonly settled?: boolean;
}

/** Connections to the API server while objects are made. */
const WRITERS = 64;
const DEPLOYMENTS_PER_NAMESPACE = 50;

const anyPodType = defineResource<KubeObject & { readonly spec: object }>(podType);

/**
 * Makes the objects through the API, as they stand in a cluster where everything is rolled out. There is no
 * controller manager: nothing reacts to them, and their statuses are written here.
 */
export async function populate(
  world: { readonly client: KubeClient },
  size: Population,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { client } = world;
  const namespaces = Array.from(
    { length: Math.ceil(size.deployments / DEPLOYMENTS_PER_NAMESPACE) },
    (_, index) => `tenant-${index}`,
  );
  for (const namespace of namespaces) {
    await client.create(namespaceType, { metadata: { name: namespace } }, { signal });
    await addExecutor({ client }, namespace);
  }
  let made = 0;
  const indexes = Array.from({ length: size.deployments }, (_, index) => index);
  await inParallel(WRITERS, indexes, async (index) => {
    await addDeployment(client, namespaceOf(index), index, size, signal);
    made += 1;
    if (made % 500 === 0) progress(`${made} of ${size.deployments} Deployments with all that is theirs`);
  });
  await addPolicies(world, indexes.slice(0, size.policies), signal, size.policyOf);
  return namespaces;
}

/** Policies on Deployments that are there. */
export async function addPolicies(
  { client }: { readonly client: KubeClient },
  indexes: readonly number[],
  signal: AbortSignal,
  policyOf: (name: string) => object = specOf,
): Promise<void> {
  await inParallel(WRITERS, indexes, async (index) => {
    const name = nameOf(index);
    // The server fills in the defaults that the type calls required.
    const spec = policyOf(name) as unknown as RollbackPolicy["spec"];
    await client.create(
      ROLLBACK_POLICIES,
      { metadata: { namespace: namespaceOf(index), name }, spec },
      { signal },
    );
  });
}

export function nameOf(index: number): string {
  return `web-${index}`;
}

export function namespaceOf(index: number): string {
  return `tenant-${Math.floor(index / DEPLOYMENTS_PER_NAMESPACE)}`;
}

async function addDeployment(
  client: KubeClient,
  namespace: string,
  index: number,
  size: Population,
  signal: AbortSignal,
): Promise<void> {
  const name = nameOf(index);
  const newest = size.replicaSetsPerDeployment;
  const revision = (number: number) => ({ "deployment.kubernetes.io/revision": String(number) });
  const { podsPerReplicaSet: replicas } = size;
  const selector = { matchLabels: { app: name } };
  const { metadata } = await client.create(
    deploymentType,
    {
      metadata: {
        namespace,
        name,
        labels: { app: name, "app.kubernetes.io/managed-by": "bench" },
        annotations: {
          ...revision(newest),
          "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(templateOf(name, newest)),
        },
      },
      spec: { replicas, selector, template: templateOf(name, newest) },
    },
    { signal },
  );
  const status = {
    observedGeneration: metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    conditions: [
      condition("Available", "MinimumReplicasAvailable"),
      condition("Progressing", "NewReplicaSetAvailable"),
    ],
  };
  await client.patch(deploymentType, { namespace, name }, mergePatch({ status }), {
    signal,
    subresource: "status",
  });
  const sets: ObjectMeta[] = [];
  for (let number = 1; number <= newest; number += 1) {
    const hash = hashOf(index, number);
    const labels = { app: name, "pod-template-hash": hash };
    const template = templateOf(name, number);
    const set = await client.create(
      replicaSetType,
      {
        metadata: {
          namespace,
          name: `${name}-${hash}`,
          labels,
          annotations: revision(number),
          ownerReferences: [owner("Deployment", metadata)],
        },
        spec: {
          replicas: number === newest ? replicas : 0,
          selector: { matchLabels: labels },
          template: { ...template, metadata: { ...template.metadata, labels } },
        },
      },
      { signal },
    );
    sets.push(set.metadata);
    const pods = size.settled === true && number < newest ? 0 : replicas;
    for (let pod = 0; pod < pods; pod += 1) {
      const podMetadata = {
        namespace,
        name: `${name}-${hash}-${pod}`,
        labels,
        ownerReferences: [owner("ReplicaSet", set.metadata)],
      };
      const spec = { containers: [{ name: "app", image: `web:v${number}` }] };
      await client.create(anyPodType, { metadata: podMetadata, spec }, { signal });
    }
  }
  if (size.settled === true) await addLedger(client, metadata, sets, signal);
}

/** As if the operator had watched from the beginning: the live release, and the one before it known good. */
async function addLedger(
  client: KubeClient,
  { namespace = "", name, uid: targetUid }: ObjectMeta,
  sets: readonly ObjectMeta[],
  signal: AbortSignal,
): Promise<void> {
  const target = { group: "apps", kind: "Deployment", namespace, name };
  const of = ({ uid, labels = {} }: ObjectMeta, revision: number) => ({
    replicaSetUid: uid,
    podTemplateHash: labels["pod-template-hash"] ?? "",
    revision,
  });
  const [before, live] = sets.slice(-2);
  if (before === undefined || live === undefined) throw new Error("a settled population has two revisions");
  const good = {
    ...of(before, sets.length - 1),
    since: before.creationTimestamp,
    evidence: "made for a measurement",
  };
  const release = { ...of(live, sets.length), targetUid, startedAt: live.creationTimestamp };
  const spec = { ...emptyLedger(target), releases: [release], knownGood: [good] };
  await client.create(
    ROLLBACK_LEDGERS,
    { metadata: { namespace, name: targetHash(target) }, spec },
    { signal },
  );
}

/** Plays the Deployment controller after a rollback to the last but one of `revisions`: that one is the newest now. */
export async function rollOut(
  client: KubeClient,
  index: number,
  revisions: number,
  signal: AbortSignal,
): Promise<void> {
  const [namespace, name] = [namespaceOf(index), nameOf(index)];
  const annotations = { "deployment.kubernetes.io/revision": String(revisions + 1) };
  const set = { namespace, name: `${name}-${hashOf(index, revisions - 1)}` };
  await client.patch(replicaSetType, set, mergePatch({ metadata: { annotations } }), { signal });
  const key = { namespace, name };
  const { metadata } = await client.patch(deploymentType, key, mergePatch({ metadata: { annotations } }), {
    signal,
  });
  const status = { observedGeneration: metadata.generation };
  await client.patch(deploymentType, key, mergePatch({ status }), { signal, subresource: "status" });
}

function hashOf(index: number, revision: number): string {
  return (index * 97 + revision).toString(16).padStart(10, "0");
}

function owner(kind: string, { name, uid }: ObjectMeta) {
  return { apiVersion: "apps/v1", kind, name, uid, controller: true, blockOwnerDeletion: true };
}

function condition(type: string, reason: string) {
  const at = "2026-01-01T00:00:00Z";
  return { type, status: "True", reason, message: reason, lastTransitionTime: at, lastUpdateTime: at };
}

/** About 2 kB: an ordinary service. */
function templateOf(app: string, version: number): PodTemplateSpec {
  const env = Array.from({ length: 12 }, (_, index) => ({
    name: `SETTING_${index}`,
    value: `value-${index}-of-${app}`,
  }));
  const probe = (path: string) => ({ httpGet: { path, port: 8080 }, periodSeconds: 10 });
  return {
    metadata: { labels: { app }, annotations: { "prometheus.io/scrape": "true" } },
    spec: {
      containers: [
        {
          name: "app",
          image: `registry.example.com/team/${app}:v${version}`,
          env,
          ports: [{ name: "http", containerPort: 8080 }],
          livenessProbe: probe("/healthz"),
          readinessProbe: probe("/readyz"),
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
          volumeMounts: [{ name: "config", mountPath: "/etc/app" }],
        },
      ],
      volumes: [{ name: "config", emptyDir: {} }],
    },
  };
}

function specOf(name: string): object {
  return {
    target: { kind: "Deployment", name: name },
    serviceAccountName: "rollback-executor",
    signals: [
      {
        name: "error-rate",
        prometheus: {
          ratio: { bad: 'http_requests_total{status=~"5.."}', total: "http_requests_total", window: "1m" },
          match: { app: "web" },
        },
      },
      {
        name: "p95-latency",
        prometheus: {
          quantile: { quantile: "0.95", histogram: "http_request_duration_seconds", window: "1m" },
          match: { app: "web" },
        },
      },
    ],
    matrix: [
      {
        name: "errors",
        when: { signal: "error-rate", above: "0.10", for: "2m" },
        severity: "SEV1",
        action: "Rollback",
      },
      {
        name: "latency",
        when: { signal: "p95-latency", above: "2", for: "5m" },
        severity: "SEV3",
        action: "Notify",
      },
    ],
  };
}

async function inParallel<T>(
  workers: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const run = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, run));
}
