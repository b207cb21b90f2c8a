import type { ContainerStatus, Pod } from "../kube/well-known.ts";

export interface PodComplaint {
  /**
   * Image: the image cannot be had. Config: a reference cannot be resolved. Neither heals by waiting long.
   * Crash and Unschedulable may.
   */
  readonly kind: "Image" | "Config" | "Crash" | "Unschedulable";
  /** When the pod was made, milliseconds since the epoch: how long the complaint can have lasted at most. */
  readonly since: number;
  /** `pod web-5d4-x: container app: ImagePullBackOff`, with the kubelet's own words where it gives any. */
  readonly text: string;
}

const WAITING_KINDS: Readonly<Record<string, PodComplaint["kind"]>> = {
  ErrImagePull: "Image",
  ImagePullBackOff: "Image",
  InvalidImageName: "Image",
  ErrImageNeverPull: "Image",
  ImageInspectError: "Image",
  RegistryUnavailable: "Image",
  CreateContainerConfigError: "Config",
  CreateContainerError: "Config",
  RunContainerError: "Config",
  CrashLoopBackOff: "Crash",
};

/** Why pods do not start, in the kubelet's and the scheduler's own words. Pods that are going away are left out. */
export function podComplaints(pods: readonly Pod[]): readonly PodComplaint[] {
  return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined).flatMap(complaintsOf);
}

function complaintsOf(pod: Pod): readonly PodComplaint[] {
  const unscheduled = pod.status?.conditions?.find(
    ({ type, status, reason }) => type === "PodScheduled" && status === "False" && reason === "Unschedulable",
  );
  const since = Date.parse(pod.metadata.creationTimestamp);
  if (unscheduled !== undefined) {
    return [
      {
        kind: "Unschedulable",
        since,
        text: `pod ${pod.metadata.name}: Unschedulable: ${short(unscheduled.message)}`,
      },
    ];
  }
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return statuses.flatMap((status) => ofContainer(pod.metadata.name, status, since));
}

function ofContainer(pod: string, status: ContainerStatus, since: number): readonly PodComplaint[] {
  const waiting = status.state?.waiting;
  const kind = waiting?.reason === undefined ? undefined : WAITING_KINDS[waiting.reason];
  if (waiting === undefined || kind === undefined) return [];
  const detail = waiting.message === undefined ? "" : `: ${short(waiting.message)}`;
  return [{ kind, since, text: `pod ${pod}: container ${status.name}: ${waiting.reason}${detail}` }];
}

function short(text: string | undefined): string {
  const line = (text ?? "").replaceAll(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
