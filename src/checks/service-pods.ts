import type { KubeClient } from "../kube/client.ts";
import type { Right } from "../kube/right.ts";
import { podType, serviceType, type Pod, type Service } from "../kube/well-known.ts";
import { findPort, type ServicePort } from "../workloads/find-port.ts";
import { isPodReady, podLabelOf, podRevisionOf, podsOfRevisions } from "../workloads/pods.ts";
import { readWorkload, selectorText } from "../workloads/read-workload.ts";
import { workloadRights, type CheckedWorkload, type Restored } from "./check.ts";

/** A port of a pod that can be asked. */
export interface PodPort {
  readonly pod: string;
  readonly port: number;
}

/** At least one. */
export type PodPorts = readonly [PodPort, ...(readonly PodPort[])];

export type ServicePods =
  | { readonly kind: "Found"; readonly ports: PodPorts }
  /** Nobody can be asked; says why. */
  | { readonly kind: "Nobody"; readonly why: string };

export interface ServiceQuestion {
  readonly service: string;
  /** Name or number of the Service's port. */
  readonly port?: number | string | undefined;
}

interface Asking {
  readonly executor: KubeClient;
  readonly namespace: string;
  readonly restored: readonly Restored[];
  readonly signal: AbortSignal;
}

/** What finding and asking the pods behind a Service takes. */
export function servicePodsRights(
  { service }: ServiceQuestion,
  workloads: readonly CheckedWorkload[],
): readonly Right[] {
  return [
    { apiGroup: "", resource: "services", verb: "get", name: service },
    { apiGroup: "", resource: "pods", verb: "list" },
    { apiGroup: "", resource: "pods/proxy", verb: "get" },
    ...workloadRights(workloads),
  ];
}

/**
 * The pods that a Service sends requests to now: selected, Ready, not going away, with its port found in each as
 * kube-proxy's endpoints find it. Pods of the workload that was put back are taken only if they run the restored
 * version: what others answer proves nothing. By name, oldest name first. Throws KubeError.
 */
export async function servicePods(question: ServiceQuestion, asking: Asking): Promise<ServicePods> {
  const { executor, namespace, signal } = asking;
  const key = { namespace, name: question.service };
  const service = await executor.tryGet(serviceType, key, { signal });
  const title = `Service ${question.service}`;
  if (service === undefined) return nobody(`${title} does not exist`);
  const matchLabels = service.spec.selector ?? {};
  if (Object.keys(matchLabels).length === 0) return nobody(`${title} has no selector`);
  const port = choosePort(service, question.port);
  if (typeof port === "string") return nobody(`${title} ${port}`);
  const labelSelector = selectorText({ matchLabels });
  const [{ items }, isOutdated] = await Promise.all([
    executor.list(podType, { namespace, labelSelector, signal }),
    outdatedPods(asking),
  ]);
  const current = items.filter((pod) => pod.metadata.deletionTimestamp === undefined && isPodReady(pod));
  const wanted = current.filter((pod) => !isOutdated(pod));
  if (wanted.length === 0) {
    return nobody(
      current.length === 0
        ? `no pod of ${title} is Ready`
        : `none of the ${current.length} Ready pods of ${title} runs the restored version`,
    );
  }
  const ports = wanted
    .map((pod) => ({ pod: pod.metadata.name, port: findPort(pod.spec, port) }))
    .filter((each): each is PodPort => each.port !== undefined)
    .toSorted((a, b) => (a.pod < b.pod ? -1 : 1));
  const [first, ...more] = ports;
  return first === undefined
    ? nobody(`no container has the port ${port.targetPort} of ${title}`)
    : { kind: "Found", ports: [first, ...more] };
}

/** The port, or what is wrong with the question. */
function choosePort(service: Service, wanted: number | string | undefined): ServicePort | string {
  const ports = (service.spec.ports ?? []).filter(({ protocol = "TCP" }) => protocol === "TCP");
  const known = ports
    .map(({ name, port }) => (name === undefined ? `${port}` : `${name} (${port})`))
    .join(", ");
  if (wanted === undefined) {
    const [only] = ports;
    if (only === undefined) return "has no TCP port";
    return ports.length === 1 ? only : `has several ports: set port to one of ${known}`;
  }
  const found = ports.find(({ name, port }) => wanted === (typeof wanted === "string" ? name : port));
  return found ?? `has no port ${wanted}, only ${known || "none"}`;
}

/** Tells pods of restored workloads that run another version than the restored one. */
async function outdatedPods({
  executor,
  namespace,
  restored,
  signal,
}: Asking): Promise<(pod: Pod) => boolean> {
  const outdated = await Promise.all(
    restored.map(async ({ kind, name, revision }) => {
      const found = await readWorkload(executor, { kind, namespace, name }, signal);
      if (found === undefined) return [];
      const pods = await podsOfRevisions(found, found.revisions, executor, signal);
      const label = podLabelOf(kind, revision);
      return pods.filter((pod) => podRevisionOf(kind, pod) !== label);
    }),
  );
  const uids = new Set(outdated.flat().map(({ metadata }) => metadata.uid));
  return ({ metadata }) => uids.has(metadata.uid);
}

function nobody(why: string): ServicePods {
  return { kind: "Nobody", why };
}

/** At most `most` of the pods, other ones as time goes by, so that a long soak looks at all. `now` in milliseconds. */
export function podsInTurn(ports: readonly PodPort[], most: number, now: number): readonly PodPort[] {
  // Samples come on a grid, whose steps may have a factor in common with the number of pods: so the bits are mixed.
  const start = (Math.imul(Math.floor(now), 2_654_435_761) >>> 0) % ports.length;
  return [...ports.slice(start), ...ports.slice(0, start)].slice(0, most);
}
