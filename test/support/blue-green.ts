import type { KubeClient } from "../../src/kube/client.ts";
import { jsonPatch, mergePatch, type JsonPatchOperation } from "../../src/kube/patch.ts";
import { horizontalPodAutoscalerType, type HorizontalPodAutoscaler } from "../../src/kube/scale-types.ts";
import { endpointSliceType } from "../../src/kube/endpoint-slice.ts";
import { podType, serviceType, type Service } from "../../src/kube/well-known.ts";
import type { Shop } from "./shop.ts";
import { until } from "./world.ts";

const signal = new AbortController().signal;

/** The node (support/machine.ts) that the pods are on. */
export const MACHINE = "node-1";

export interface BlueGreenOptions {
  /** Pods of blue, which has no traffic; 2 by default. */
  readonly idle?: number;
  readonly ports?: Service["spec"]["ports"];
  readonly blueImage?: string;
}

/** Needs pods with addresses on `MACHINE`: a Service `name` in front of two Deployments: `name-green` with v2 has the traffic, `name-blue` with v1 has none. */
export async function openBlueGreen(
  shop: Shop,
  client: KubeClient,
  name = "web",
  {
    idle = 2,
    ports = [{ name: "http", port: 80, targetPort: "http" }],
    blueImage = "web:v1",
  }: BlueGreenOptions = {},
): Promise<void> {
  const { namespace } = shop;
  const color = (value: string, image: string, replicas: number) =>
    shop.open(`${name}-${value}`, {
      spec: { replicas },
      template: (template) => ({
        metadata: { labels: { ...template.metadata?.labels, site: name, version: value } },
        spec: {
          ...template.spec,
          nodeName: MACHINE,
          // No kubelet ends them.
          terminationGracePeriodSeconds: 0,
          containers: [{ name: "app", image, ports: [{ name: "http", containerPort: 8080 }] }],
        },
      }),
    });
  await Promise.all([color("green", "web:v2", 2), color("blue", blueImage, idle)]);
  const spec = { selector: { site: name, version: "green" }, ports };
  await client.create(serviceType, { metadata: { namespace, name }, spec }, { signal });
  await until(
    `endpoints of Service ${name}`,
    () => endpointsOf(client, namespace, name),
    (uids) => uids.length === 2,
  );
}

/** What the step says about that Service. */
export function toBlue(name = "web", more: object = {}) {
  return {
    service: name,
    label: "version",
    to: "blue",
    colors: ["blue", "green"].map((color) => ({
      color,
      kind: "Deployment" as const,
      name: `${name}-${color}`,
    })),
    holdFor: "1h",
    afterHold: "ScaleDown" as const,
    ...more,
  };
}

export function serviceOf(client: KubeClient, namespace: string, name = "web"): Promise<Service> {
  return client.get(serviceType, { namespace, name }, { signal });
}

export function editService(
  client: KubeClient,
  namespace: string,
  name: string,
  ...operations: readonly JsonPatchOperation[]
): Promise<Service> {
  return client.patch(serviceType, { namespace, name }, jsonPatch(...operations), { signal });
}

/** Somebody gives the Service another value of `version`. */
export function setColor(
  client: KubeClient,
  namespace: string,
  name: string,
  color: string,
): Promise<Service> {
  const value = { spec: { selector: { version: color } } };
  return client.patch(serviceType, { namespace, name }, mergePatch(value), { signal });
}

/** UIDs of the pods that the Service has as endpoints, each once. */
export async function endpointsOf(
  client: KubeClient,
  namespace: string,
  name: string,
): Promise<readonly string[]> {
  const labelSelector = `kubernetes.io/service-name=${name}`;
  const slices = await client.list(endpointSliceType, { namespace, labelSelector, signal });
  const endpoints = slices.items.flatMap(({ endpoints: each }) => each ?? []);
  return [...new Set(endpoints.map(({ targetRef }) => targetRef?.uid ?? "none"))].toSorted();
}

/** UIDs of the pods with this colour. */
export async function podsOfColor(
  client: KubeClient,
  namespace: string,
  name: string,
  color: string,
): Promise<readonly string[]> {
  const labelSelector = `site=${name},version=${color}`;
  const pods = await client.list(podType, { namespace, labelSelector, signal });
  return pods.items.map(({ metadata }) => metadata.uid).toSorted();
}

/** An autoscaler of `name-color`. */
export function openHpa(
  client: KubeClient,
  namespace: string,
  workload: string,
  bounds: { readonly minReplicas: number; readonly maxReplicas: number },
): Promise<HorizontalPodAutoscaler> {
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: workload };
  const metrics = [
    { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
  ];
  return client.create(
    horizontalPodAutoscalerType,
    { metadata: { namespace, name: workload }, spec: { scaleTargetRef, metrics, ...bounds } },
    { signal },
  );
}
