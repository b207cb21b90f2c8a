import type { KubeClient } from "../../src/kube/client.ts";
import { systemClock } from "../../src/kube/clock.ts";
import { isConflict, isNotFound } from "../../src/kube/errors.ts";
import { createReflector } from "../../src/kube/reflector.ts";
import { createStore } from "../../src/kube/store.ts";
import { podType, type Pod } from "../../src/kube/well-known.ts";

/**
 * Plays the kubelet on a control plane without nodes: pods become Ready at once, unless their image says otherwise.
 * `image:pull-error` never pulls, `image:crash` crash-loops, `image:config-error` misses its configuration,
 * `image:slow` never becomes Ready, `image:unschedulable` finds no node. Known difference: no process ever runs.
 * With a `podIP` every Ready pod has that address.
 */
export async function runPodSimulator(
  client: KubeClient,
  signal: AbortSignal,
  podIP?: string,
): Promise<void> {
  const clock = systemClock();
  const store = createStore<Pod>();
  const reflector = createReflector<Pod>({ client, type: podType, store, clock, random: Math.random });
  store.onChange((change) => {
    if (change.type === "deleted" || change.object.status?.phase !== "Pending") return;
    if ((change.object.status.containerStatuses ?? []).length > 0) return;
    void play(client, change.object, signal, podIP).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  });
  await reflector.run(signal);
}

async function play(
  client: KubeClient,
  pod: Pod,
  signal: AbortSignal,
  podIP: string | undefined,
): Promise<void> {
  const known = statusFor(pod);
  if (known === undefined) return;
  const status = podIP === undefined ? known : { ...known, podIP, podIPs: [{ ip: podIP }] };
  try {
    const { namespace = "", name, uid } = pod.metadata;
    await client.patch(
      podType,
      { namespace, name },
      { kind: "merge", value: { metadata: { uid }, status } },
      { signal, subresource: "status" },
    );
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

function statusFor(pod: Pod): Record<string, unknown> | undefined {
  const container = pod.spec.containers[0];
  const behaviour = container?.image?.split(":")[1] ?? "";
  const now = new Date().toISOString();
  const condition = (type: string, status: string, extra: Record<string, string> = {}) => ({
    type,
    status,
    lastTransitionTime: now,
    ...extra,
  });
  const containerStatus = (state: Record<string, unknown>, ready: boolean) => ({
    containerStatuses: [
      { name: container?.name, image: container?.image, imageID: "", ready, restartCount: 0, state },
    ],
  });
  switch (behaviour) {
    case "slow":
      return undefined;
    case "pull-error":
      return containerStatus({ waiting: { reason: "ImagePullBackOff", message: "no such image" } }, false);
    case "config-error":
      return containerStatus(
        { waiting: { reason: "CreateContainerConfigError", message: 'configmap "gone" not found' } },
        false,
      );
    case "crash":
      return containerStatus({ waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } }, false);
    case "unschedulable":
      return {
        conditions: [
          condition("PodScheduled", "False", { reason: "Unschedulable", message: "0/0 nodes are available" }),
        ],
      };
    default:
      return {
        phase: "Running",
        conditions: [condition("Ready", "True"), condition("ContainersReady", "True")],
        ...containerStatus({ running: { startedAt: now } }, true),
      };
  }
}
