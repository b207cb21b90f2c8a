import type { PodSpec, Service } from "../kube/well-known.ts";

export type ServicePort = NonNullable<Service["spec"]["ports"]>[number];

/**
 * Number of the port of a pod that a Service's port leads to; undefined where a name is not found. As the endpoints
 * controller does (`FindPort`): a name is looked up in each pod, sidecars included.
 */
export function findPort(
  { containers, initContainers = [] }: PodSpec,
  { targetPort, port, protocol = "TCP" }: ServicePort,
): number | undefined {
  if (typeof targetPort !== "string") return targetPort ?? port;
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...containers, ...sidecars]
    .flatMap(({ ports = [] }) => ports)
    .find((each) => each.name === targetPort && (each.protocol ?? "TCP") === protocol)?.containerPort;
}
