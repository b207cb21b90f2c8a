import { isDeepStrictEqual } from "node:util";
import type { RollbackRequestSpec } from "../../src/crds/rollback-request.ts";
import { defineResource, type KubeObject } from "../../src/kube/objects.ts";
import { mergePatch, type JsonPatchOperation } from "../../src/kube/patch.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../src/kube/rollback-kinds.ts";
import {
  deploymentType,
  namespaceType,
  replicaSetType,
  serviceAccountType,
  type Deployment,
  type PodTemplateSpec,
  type ReplicaSet,
} from "../../src/kube/well-known.ts";
import { readAudit, type AuditEvent } from "../cluster/audit.ts";
import { until, type World } from "./world.ts";

export interface RoleBinding extends KubeObject {
  readonly roleRef: Readonly<Record<string, string>>;
  readonly subjects: readonly Readonly<Record<string, string>>[];
}

export const roleBindingType = defineResource<RoleBinding>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  plural: "rolebindings",
  namespaced: true,
});

export interface Role extends KubeObject {
  readonly rules: readonly unknown[];
}

export const roleType = defineResource<Role>({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "Role",
  plural: "roles",
  namespaced: true,
});

export const OPERATOR_USER = "system:serviceaccount:rollback-system:rollback-operator";

const FINAL = ["Succeeded", "Failed", "Compensated", "Superseded", "Denied", "Expired", "Aborted"];

/** Seconds instead of a minute. */
const SHORT_VERIFICATION = { settle: "0s", soak: "2s", interval: "1s" };

export type PartialSpec = Readonly<Record<string, unknown>>;

/** A namespace with an executor, Deployments that have a history, and requests about them. */
export interface Shop {
  readonly namespace: string;
  readonly executor: string;
  /** Makes a Deployment of image `web:v1` with the given parts of its spec changed, and waits until it is complete. */
  open(name?: string, change?: DeploymentChange): Promise<Deployment>;
  /** Changes the template and waits for the new revision; until it is complete, unless its pods never get ready. */
  release(change: TemplateChange | string, name?: string): Promise<Deployment>;
  /** Makes a request whose step goes to `to`; other fields of the spec may be given or overwritten. */
  ask(request: string, to?: PartialSpec, spec?: PartialSpec, name?: string): Promise<RollbackRequest>;
  request(request: string): Promise<RollbackRequest>;
  /** The request once it has ended and let go. */
  ended(request: string, withinMs?: number): Promise<RollbackRequest>;
  reaches(request: string, phase: string): Promise<RollbackRequest>;
  annotate(request: string, annotations: Readonly<Record<string, string>>): Promise<void>;
  remove(request: string): Promise<void>;
  live(name?: string): Promise<Deployment>;
  replicaSets(name?: string): Promise<readonly ReplicaSet[]>;
  edit(operations: readonly JsonPatchOperation[], name?: string): Promise<Deployment>;
  /** Accepted writes to a Deployment by the executor, dry runs left out. */
  acts(name?: string): Promise<readonly AuditEvent[]>;
}

export interface DeploymentChange {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly template?: TemplateChange;
}

export type TemplateChange = (template: PodTemplateSpec) => PodTemplateSpec;

/** The template with other fields in the spec of its pods. */
export function podSpec(fields: Readonly<Record<string, unknown>>): TemplateChange {
  return (template) => ({ ...template, spec: { ...template.spec, ...fields } });
}

/** The template with other fields in its one container. */
export function container(fields: Readonly<Record<string, unknown>>): TemplateChange {
  return (template) => ({
    ...template,
    spec: { ...template.spec, containers: template.spec.containers.map((each) => ({ ...each, ...fields })) },
  });
}

export function imageOf(deployment: Pick<Deployment, "spec">): string | undefined {
  return deployment.spec.template.spec.containers[0]?.image;
}

export function revisionNumber(object: KubeObject): number {
  return Number(object.metadata.annotations?.["deployment.kubernetes.io/revision"]);
}

export function readyOf(request: RollbackRequest): { readonly reason: string; readonly message: string } {
  const ready = request.status?.conditions?.find(({ type }) => type === "Ready");
  return { reason: ready?.reason ?? "", message: ready?.message ?? "" };
}

export async function openShop(
  world: World,
  namespace: string,
  options: {
    readonly executor?: boolean;
    readonly exists?: boolean;
    readonly actions?: readonly string[];
  } = {},
): Promise<Shop> {
  const { client } = world;
  const { signal } = new AbortController();
  if (options.exists !== true) {
    await client.create(namespaceType, { metadata: { name: namespace } }, { signal });
  }
  if (options.executor !== false) await addExecutor(world, namespace, options.actions);
  const executor = `system:serviceaccount:${namespace}:rollback-executor`;
  const key = (name: string) => ({ namespace, name });

  const live = (name = "web") => client.get(deploymentType, key(name), { signal });
  const request = (name: string) => client.get(ROLLBACK_REQUESTS, key(name), { signal });
  const replicaSets = async (name = "web") => {
    const { items } = await client.list(replicaSetType, { namespace, signal });
    return items.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.name === name));
  };
  const edit = (operations: readonly JsonPatchOperation[], name = "web") =>
    client.patch(deploymentType, key(name), { kind: "json", operations }, { signal });

  async function settled(name: string): Promise<Deployment> {
    return until(`Deployment ${name} settles`, () => live(name), isSettled);
  }

  return {
    namespace,
    executor,
    live,
    replicaSets,
    edit,
    request,
    async open(name = "web", change = {}) {
      const labels = { app: name };
      const template: PodTemplateSpec = {
        metadata: { labels },
        spec: { containers: [{ name: "app", image: "web:v1" }] },
      };
      await client.create(
        deploymentType,
        {
          metadata: { ...key(name), ...change.metadata },
          spec: {
            replicas: 2,
            selector: { matchLabels: labels },
            template: change.template?.(template) ?? template,
            ...change.spec,
          },
        },
        { signal },
      );
      return settled(name);
    },
    async release(change, name = "web") {
      const before = await live(name);
      const template =
        typeof change === "string"
          ? container({ image: change })(before.spec.template)
          : change(before.spec.template);
      await edit([{ op: "replace", path: "/spec/template", value: template }], name);
      await until(
        `Deployment ${name} has a new revision`,
        () => live(name),
        (now) => isObserved(now) && revisionNumber(now) > revisionNumber(before),
      );
      return settled(name);
    },
    async ask(name, to = { strategy: "LastKnownGood" }, spec = {}, target = "web") {
      const steps = [{ name: "app", workload: { kind: "Deployment", name: target, to } }];
      const full = { steps, verification: SHORT_VERIFICATION, ...spec };
      // The server fills in the defaults that the type calls required.
      return client.create(
        ROLLBACK_REQUESTS,
        { metadata: key(name), spec: full as unknown as RollbackRequestSpec },
        { signal },
      );
    },
    ended: (name, withinMs) =>
      until(
        `RollbackRequest ${name} ends`,
        () => request(name),
        ({ status, metadata }) =>
          FINAL.includes(status?.phase ?? "") && (metadata.finalizers ?? []).length === 0,
        withinMs,
      ),
    reaches: (name, phase) =>
      until(
        `RollbackRequest ${name} is ${phase}`,
        () => request(name),
        ({ status }) => status?.phase === phase,
      ),
    async annotate(name, annotations) {
      await client.patch(ROLLBACK_REQUESTS, key(name), mergePatch({ metadata: { annotations } }), { signal });
    },
    remove: (name) => client.delete(ROLLBACK_REQUESTS, key(name), { signal }),
    async acts(name = "web") {
      const audit = await readAudit(world.controlPlane.auditLogPath);
      return audit.writes({ resource: "deployments", subresource: "", namespace, name, actor: executor });
    },
  };
}

/** The shipped roles of these actions, bound to an executor. */
export async function addExecutor(
  world: Pick<World, "client">,
  namespace: string,
  actions: readonly string[] = ["workload"],
): Promise<void> {
  const { signal } = new AbortController();
  const name = "rollback-executor";
  await world.client.create(serviceAccountType, { metadata: { namespace, name } }, { signal });
  for (const [index, action] of actions.entries()) {
    await world.client.create(
      roleBindingType,
      {
        metadata: { namespace, name: index === 0 ? name : `${name}-${action}` },
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: `rollback-executor-${action}`,
        },
        subjects: [{ kind: "ServiceAccount", name, namespace }],
      },
      { signal },
    );
  }
}

function isObserved({ metadata, status }: Deployment): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

/** Complete; or, where its pods never get ready, as far as it goes: all that may be made of the new ones are there. */
function isSettled(deployment: Deployment): boolean {
  const { replicas = 1, template } = deployment.spec;
  const { updatedReplicas = 0, availableReplicas = 0, replicas: all = 0 } = deployment.status ?? {};
  if (!isObserved(deployment) || Number.isNaN(revisionNumber(deployment))) return false;
  const works = template.spec.containers.every(({ image }) => image?.includes(":v") === true);
  return works
    ? updatedReplicas === replicas && availableReplicas === replicas && all === replicas
    : updatedReplicas >= Math.min(1, replicas);
}

/** Whether two templates ask for the same pods, by what the API server stores: an oracle apart from our own code. */
export function sameStoredTemplate(a: Deployment, b: Deployment): boolean {
  return isDeepStrictEqual(a.spec.template, b.spec.template);
}
