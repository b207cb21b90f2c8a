import type { KubeClient } from "../../src/kube/client.ts";
import { mergePatch } from "../../src/kube/patch.ts";
import { podType, type Pod } from "../../src/kube/pod-types.ts";
import { until } from "./world.ts";

/** Writes what a kubelet would write about the containers of a namespace's pods. */
export interface Kubelet {
  /** Pods with this image that are not told to go, by name, once there are so many. */
  pods(image: string, count?: number, phase?: "Running" | "Pending"): Promise<readonly Pod[]>;
  /** Other fields in the status of the pod's one container, over what is there. */
  container(pod: Pod, fields: Readonly<Record<string, unknown>>): Promise<void>;
  /** The container ends for this reason and is started again at once. */
  dies(pod: Pod, reason?: string): Promise<void>;
  /** Deletes the pod: without a node it is gone at once. */
  vanishes(pod: Pod): Promise<void>;
}

export function kubeletOf(client: KubeClient, namespace: string): Kubelet {
  const { signal } = new AbortController();
  let runs = 0;
  const current = (pod: Pod) => client.get(podType, { namespace, name: pod.metadata.name }, { signal });

  async function container(pod: Pod, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { status } = await current(pod);
    const [before] = status?.containerStatuses ?? [];
    const blank = { name: "app", image: "", imageID: "", ready: false, restartCount: 0 };
    const containerStatuses = [{ ...blank, ...before, ...fields }];
    await client.patch(
      podType,
      { namespace, name: pod.metadata.name },
      mergePatch({ status: { phase: "Running", containerStatuses } }),
      { signal, subresource: "status" },
    );
  }

  return {
    container,
    async pods(image, count = 2, phase = "Running") {
      const pods = await until(
        `${count} pods of ${image} in ${namespace}`,
        async () =>
          (await client.list(podType, { namespace, signal })).items.filter(
            ({ metadata, spec, status }) =>
              metadata.deletionTimestamp === undefined &&
              spec.containers[0]?.image === image &&
              status?.phase === phase,
          ),
        (found) => found.length === count,
      );
      return pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    },
    async dies(pod, reason = "OOMKilled") {
      runs += 1;
      const restarts = (await current(pod)).status?.containerStatuses?.[0]?.restartCount ?? 0;
      const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      const containerID = `containerd://${String(runs).padStart(12, "0")}${"f".repeat(52)}`;
      const terminated = { exitCode: 137, reason, startedAt: now, finishedAt: now, containerID };
      // As it is seen by a watch: dead, then running again with the death as its last state.
      await container(pod, { ready: false, state: { terminated } });
      await container(pod, {
        ready: true,
        restartCount: restarts + 1,
        state: { running: { startedAt: now } },
        lastState: { terminated },
      });
    },
    async vanishes({ metadata }) {
      await client.delete(podType, { namespace, name: metadata.name }, { signal });
    },
  };
}
