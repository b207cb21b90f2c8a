import type { JsonPatchOperation } from "../../src/kube/patch.ts";
import { rolloutType, type Rollout } from "../../src/kube/rollout-types.ts";
import {
  podType,
  replicaSetType,
  serviceType,
  type Pod,
  type PodTemplateSpec,
  type ReplicaSet,
} from "../../src/kube/well-known.ts";
import { NUDGE_MANAGER } from "../../src/actions/workload/rollout/nudge.ts";
import { awaitWrites, type AuditEvent } from "../cluster/audit.ts";
import type { Shop } from "./shop.ts";
import { until, type World } from "./world.ts";

export const HASH_LABEL = "rollouts-pod-template-hash";
const IMAGE_PATH = "/spec/template/spec/containers/0/image";

type Strategy = NonNullable<Rollout["spec"]["strategy"]>;

/** A canary that stops after its first step until somebody promotes it. */
export const PAUSED_CANARY: Strategy = { canary: { steps: [{ setWeight: 50 }, { pause: {} }] } };

/** A canary that goes to its end as fast as pods get ready. */
export const PLAIN_CANARY: Strategy = { canary: {} };

/** The Service `NAME` gets the traffic. */
export function blueGreen(name: string, more: Strategy["blueGreen"] = {}): Strategy {
  return { blueGreen: { activeService: name, ...more } };
}

/** Rollouts of a shop, carried out by the real controller. */
export interface Rollouts {
  /** Makes one of image `web:v1` with 2 pods and a Service of its name; until it is healthy. */
  open(name: string, strategy: Strategy, spec?: Readonly<Record<string, unknown>>): Promise<Rollout>;
  /** Deploys another image, until the controller has taken it up; not until pods follow. */
  release(image: string, name: string): Promise<Rollout>;
  /** The same until it is fully promoted, whatever the steps. */
  promote(image: string, name: string): Promise<Rollout>;
  live(name: string): Promise<Rollout>;
  healthy(name: string): Promise<Rollout>;
  edit(operations: readonly JsonPatchOperation[], name: string): Promise<Rollout>;
  /** Changes the status as `kubectl argo rollouts` does. */
  editStatus(status: Readonly<Record<string, unknown>>, name: string): Promise<Rollout>;
  /** Oldest first. */
  replicaSets(name: string): Promise<readonly ReplicaSet[]>;
  /** Of one version. */
  pods(name: string, hash: string): Promise<readonly Pod[]>;
  /** Takes the readiness from the pods of a version. */
  spoil(name: string, hash: string): Promise<void>;
  /** The version that the Service of this name selects, with how many Ready pods of it there are. */
  traffic(name: string): Promise<{ readonly hash: string | undefined; readonly ready: number }>;
  /** Accepted writes to the Rollout by the executor, oldest first: `""` or `status`; touches left out. */
  acts(name: string, atLeast: number): Promise<readonly string[]>;
}

export function imageOfRollout({ spec }: Rollout): string | undefined {
  return spec.template.spec.containers[0]?.image;
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((each) => each.type === "Ready" && each.status === "True") === true;
}

function isObserved({ metadata, status }: Rollout): boolean {
  return Number(status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

/** Whether a write changes something that people asked for: touches depend on how awake the controller is. */
export function isNoNudge({ requestURI }: AuditEvent): boolean {
  return !requestURI.includes(NUDGE_MANAGER);
}

export function rolloutsOf(world: World, { namespace, executor }: Shop): Rollouts {
  const { client } = world;
  const { signal } = new AbortController();
  const key = (name: string) => ({ namespace, name });
  const live = (name: string) => client.get(rolloutType, key(name), { signal });
  const edit = (operations: readonly JsonPatchOperation[], name: string) =>
    client.patch(rolloutType, key(name), { kind: "json", operations }, { signal });
  const editStatus = (status: Readonly<Record<string, unknown>>, name: string) =>
    client.patch(
      rolloutType,
      key(name),
      { kind: "merge", value: { status } },
      { signal, subresource: "status" },
    );
  const healthy = (name: string) =>
    until(
      `Rollout ${name} is healthy`,
      () => live(name),
      (rollout) =>
        isObserved(rollout) &&
        rollout.status?.phase === "Healthy" &&
        rollout.status.stableRS === rollout.status.currentPodHash,
    );
  const pods = async (name: string, hash: string) => {
    const labelSelector = `app=${name},${HASH_LABEL}=${hash}`;
    const { items } = await client.list(podType, { namespace, labelSelector, signal });
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  };
  async function release(image: string, name: string): Promise<Rollout> {
    const before = await live(name);
    await edit([{ op: "replace", path: IMAGE_PATH, value: image }], name);
    return until(
      `Rollout ${name} takes ${image} up`,
      () => live(name),
      (now) => isObserved(now) && now.status?.currentPodHash !== before.status?.currentPodHash,
    );
  }
  return {
    live,
    edit,
    editStatus,
    healthy,
    pods,
    release,
    async promote(image, name) {
      await release(image, name);
      await editStatus({ promoteFull: true }, name);
      return healthy(name);
    },
    async open(name, strategy, spec = {}) {
      const labels = { app: name };
      const template: PodTemplateSpec = {
        metadata: { labels },
        spec: { containers: [{ name: "app", image: "web:v1" }], terminationGracePeriodSeconds: 0 },
      };
      const ports = [{ port: 80, targetPort: 80 }];
      await client.create(
        serviceType,
        { metadata: key(name), spec: { selector: labels, ports } },
        { signal },
      );
      await client.create(
        rolloutType,
        {
          metadata: key(name),
          spec: { replicas: 2, selector: { matchLabels: labels }, template, strategy, ...spec },
        },
        { signal },
      );
      return healthy(name);
    },
    async replicaSets(name) {
      const { items } = await client.list(replicaSetType, { namespace, signal });
      return items
        .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.name === name))
        .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
    },
    async spoil(name, hash) {
      const now = new Date().toISOString();
      for (const { metadata } of await pods(name, hash)) {
        const conditions = ["Ready", "ContainersReady"].map((type) => ({
          type,
          status: "False",
          lastTransitionTime: now,
        }));
        await client.patch(
          podType,
          key(metadata.name),
          { kind: "merge", value: { status: { conditions } } },
          { signal, subresource: "status" },
        );
      }
    },
    async traffic(name) {
      const { spec } = await client.get(serviceType, key(name), { signal });
      const hash = spec.selector?.[HASH_LABEL];
      const selected = hash === undefined ? [] : await pods(name, hash);
      return { hash, ready: selected.filter(isReady).length };
    },
    async acts(name, atLeast) {
      const filter = { resource: "rollouts", namespace, name, actor: executor };
      const writes = await awaitWrites(world.controlPlane.auditLogPath, filter, { count: atLeast });
      return writes.filter(isNoNudge).map(({ objectRef }) => objectRef?.subresource ?? "");
    },
  };
}
