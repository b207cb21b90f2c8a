import type { KubeClient } from "../../src/kube/client.ts";
import { configMapType, type ConfigMap } from "../../src/kube/well-known.ts";
import { awaitWrites, readAudit } from "../cluster/audit.ts";
import { container, podSpec, type TemplateChange } from "./shop.ts";
import type { World } from "./world.ts";

const { signal } = new AbortController();

type Members = Pick<ConfigMap, "data" | "binaryData" | "immutable">;

export function createMap(
  client: KubeClient,
  namespace: string,
  name: string,
  members: Members,
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<ConfigMap> {
  return client.create(configMapType, { metadata: { namespace, name, ...metadata }, ...members }, { signal });
}

export function getMap(client: KubeClient, namespace: string, name: string): Promise<ConfigMap> {
  return client.get(configMapType, { namespace, name }, { signal });
}

/** Somebody sets some keys. */
export function editMap(
  client: KubeClient,
  namespace: string,
  name: string,
  data: Readonly<Record<string, string | null>>,
): Promise<ConfigMap> {
  return client.patch(configMapType, { namespace, name }, { kind: "merge", value: { data } }, { signal });
}

/** Somebody deletes it and makes another one. */
export async function recreateMap(
  client: KubeClient,
  namespace: string,
  name: string,
  members: Members,
): Promise<ConfigMap> {
  await client.delete(configMapType, { namespace, name }, { signal });
  return createMap(client, namespace, name, members);
}

export function membersOfMap({ data, binaryData, immutable }: ConfigMap): Members {
  return JSON.parse(JSON.stringify({ data, binaryData, immutable })) as Members;
}

let markers = 0;

/** How often the object was made or changed so far, by anybody: a ConfigMap has no generation. */
export async function writesToMap(world: World, namespace: string, name: string): Promise<number> {
  // What came before this is in the audit log when this is.
  const marker = `marker-${(markers += 1)}`;
  await createMap(world.client, namespace, marker, {});
  const { auditLogPath } = world.controlPlane;
  await awaitWrites(auditLogPath, { namespace, name: marker });
  const audit = await readAudit(auditLogPath);
  return audit.writes({ resource: "configmaps", namespace, name, verb: ["create", "patch", "update"] })
    .length;
}

/** Pods that have all keys of the ConfigMap in their env. */
export function inEnv(name: string): TemplateChange {
  return container({ envFrom: [{ configMapRef: { name } }] });
}

/** Pods that have the ConfigMap's keys as files. */
export function inFile(name: string, mount: object = {}): TemplateChange {
  const volumes = podSpec({ volumes: [{ name: "config", configMap: { name } }] });
  const mounts = container({ volumeMounts: [{ name: "config", mountPath: "/etc/app", ...mount }] });
  return (template) => volumes(mounts(template));
}

/** From soon on, admission refuses changes of ConfigMaps in the namespace, and tells a value when it does. */
export async function refuseByValue({ kubectl }: World, namespace: string): Promise<void> {
  const manifests = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: ${namespace}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [configmaps]}
  validations:
  - expression: "object.metadata.namespace != '${namespace}'"
    messageExpression: "'LEVEL must not be ' + object.data.LEVEL"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: ${namespace}}
spec: {policyName: ${namespace}, validationActions: [Deny]}
`;
  await kubectl(["apply", "-f", "-"], manifests);
}
