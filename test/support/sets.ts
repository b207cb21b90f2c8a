import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import type { JsonPatchOperation } from "../../src/kube/patch.ts";
import { podType, type Pod, type PodTemplateSpec } from "../../src/kube/well-known.ts";
import {
  controllerRevisionType,
  daemonSetType,
  statefulSetType,
  type ControllerRevision,
  type DaemonSet,
  type StatefulSet,
} from "../../src/kube/workload-types.ts";
import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import { container, OPERATOR_USER, type Shop, type TemplateChange } from "./shop.ts";
import { until, type World } from "./world.ts";

export type SetKind = "StatefulSet" | "DaemonSet";
export type AnySet = StatefulSet | DaemonSet;

interface Node extends KubeObject {
  readonly spec: { readonly unschedulable?: boolean };
}

const nodeType = defineResource<Node>({
  apiVersion: "v1",
  kind: "Node",
  plural: "nodes",
  namespaced: false,
});

interface PodDisruptionBudget extends KubeObject {
  readonly spec: { readonly minAvailable: number; readonly selector: object };
  readonly status?: { readonly observedGeneration?: number; readonly disruptionsAllowed?: number };
}

const budgetType = defineResource<PodDisruptionBudget>({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
  namespaced: true,
});

/** StatefulSets or DaemonSets of a shop, with their ControllerRevisions and pods, made by the real controllers. */
export interface Sets {
  /** Makes one of image `web:v1`; until all its pods are ready, unless they never get so. */
  open(name?: string, spec?: Readonly<Record<string, unknown>>, change?: TemplateChange): Promise<AnySet>;
  /** Changes the template and waits until its revision is recorded; not until pods follow. */
  release(change: TemplateChange | string, name?: string): Promise<AnySet>;
  settled(name?: string): Promise<AnySet>;
  live(name?: string): Promise<AnySet>;
  edit(operations: readonly JsonPatchOperation[], name?: string): Promise<AnySet>;
  /** Oldest first. */
  revisions(name?: string): Promise<readonly ControllerRevision[]>;
  /** By name. */
  pods(name?: string): Promise<readonly Pod[]>;
  /** Accepted writes to the set by the executor, dry runs left out. */
  acts(name?: string): Promise<readonly AuditEvent[]>;
  /** Accepted deletions and evictions of pods by the executor, oldest first: `delete db-0` or `evict db-0`. */
  podActs(): Promise<readonly string[]>;
}

export function setsOf(world: World, { namespace, executor }: Shop, kind: SetKind): Sets {
  const { client } = world;
  const { signal } = new AbortController();
  const type = kind === "StatefulSet" ? statefulSetType : daemonSetType;
  const key = (name: string) => ({ namespace, name });
  const live = (name = "db") => client.get<AnySet>(type, key(name), { signal });
  const edit = (operations: readonly JsonPatchOperation[], name = "db") =>
    client.patch<AnySet>(type, key(name), { kind: "json", operations }, { signal });
  const revisions = async (name = "db") => {
    const { items } = await client.list(controllerRevisionType, { namespace, signal });
    return items
      .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.name === name))
      .toSorted((a, b) => a.revision - b.revision);
  };
  const pods = async (name = "db") => {
    const { items } = await client.list(podType, { namespace, labelSelector: `app=${name}`, signal });
    return items.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  };
  const settled = (name = "db") => until(`${kind} ${name} settles`, () => live(name), isSettled);
  return {
    live,
    edit,
    revisions,
    pods,
    settled,
    async open(name = "db", spec = {}, change = (template) => template) {
      const labels = { app: name };
      const template: PodTemplateSpec = change({
        metadata: { labels },
        // No kubelet keeps a node ready here, and nodes that are not are tainted.
        spec: { containers: [{ name: "app", image: "web:v1" }], tolerations: [{ operator: "Exists" }] },
      });
      const own = kind === "StatefulSet" ? { replicas: 3, serviceName: name } : {};
      const full = { selector: { matchLabels: labels }, template, ...own, ...spec };
      await client.create<AnySet>(type, { metadata: key(name), spec: full }, { signal });
      return settled(name);
    },
    async release(change, name = "db") {
      const before = await live(name);
      const newest = (await revisions(name)).at(-1)?.revision ?? 0;
      const { template } = before.spec;
      const value = typeof change === "string" ? container({ image: change })(template) : change(template);
      await edit([{ op: "replace", path: "/spec/template", value }], name);
      await until(
        `${kind} ${name} has a new revision`,
        async () => ({ set: await live(name), newest: (await revisions(name)).at(-1)?.revision ?? 0 }),
        (now) => isObserved(now.set) && now.newest > newest,
      );
      return live(name);
    },
    async acts(name = "db") {
      const audit = await readAudit(world.controlPlane.auditLogPath);
      return audit.writes({ resource: type.plural, subresource: "", namespace, name, actor: executor });
    },
    async podActs() {
      const audit = await readAudit(world.controlPlane.auditLogPath);
      const who = { namespace, actor: executor, user: OPERATOR_USER } as const;
      const deleted = audit.writes({ resource: "pods", subresource: "", ...who });
      const evicted = audit.writes({ resource: "pods", subresource: "eviction", ...who });
      const acts = [
        ...deleted.map((event) => ({ event, verb: event.verb })),
        ...evicted.map((event) => ({ event, verb: "evict" })),
      ];
      return acts
        .toSorted((a, b) => (timeOf(a.event) < timeOf(b.event) ? -1 : 1))
        .map(({ event, verb }) => `${verb} ${event.objectRef?.name}`);
    },
  };
}

function timeOf(event: AuditEvent): string {
  return event.requestReceivedTimestamp;
}

/** The nodes that DaemonSets put pods on; they are of no other use here. */
export async function addNodes(world: World, names: readonly string[]): Promise<void> {
  const { signal } = new AbortController();
  for (const name of names) await world.client.create(nodeType, { metadata: { name }, spec: {} }, { signal });
}

/** A disruption budget that the disruption controller has counted. */
export async function addBudget(
  world: World,
  namespace: string,
  app: string,
  minAvailable: number,
): Promise<void> {
  const { signal } = new AbortController();
  const key = { namespace, name: `${app}-budget` };
  const spec = { minAvailable, selector: { matchLabels: { app } } };
  await world.client.create(budgetType, { metadata: key, spec }, { signal });
  await until(
    `PodDisruptionBudget ${key.name} is counted`,
    () => world.client.get(budgetType, key, { signal }),
    ({ status }) => (status?.observedGeneration ?? 0) > 0,
  );
}

export async function removeBudget(world: World, namespace: string, app: string): Promise<void> {
  const { signal } = new AbortController();
  await world.client.delete(budgetType, { namespace, name: `${app}-budget` }, { signal });
}

/** Which revision a pod is of, as its label says. */
export function revisionLabel(pod: Pod): string {
  return pod.metadata.labels?.["controller-revision-hash"] ?? "";
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

export function imageOfSet({ spec }: AnySet): string | undefined {
  return spec.template.spec.containers[0]?.image;
}

function isObserved({ metadata, status }: AnySet): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

/** All pods are there, of the live revision, and ready; or, where they never get so, it is taken up. */
function isSettled(set: AnySet): boolean {
  if (!isObserved(set)) return false;
  if (!imageOfSet(set)?.includes(":v")) return true;
  const status: Readonly<Record<string, unknown>> = set.status ?? {};
  const counts = (...names: readonly string[]) => names.map((name) => status[name] ?? 0);
  const { replicas } = set.spec as { readonly replicas?: number };
  if (replicas === undefined) {
    const [desired, updated, available] = counts(
      "desiredNumberScheduled",
      "updatedNumberScheduled",
      "numberAvailable",
    );
    return desired !== 0 && updated === desired && available === desired;
  }
  return counts("updatedReplicas", "availableReplicas", "replicas").every((count) => count === replicas);
}
