import { podType, type Pod, type Service } from "../../kube/well-known.ts";
import { findPort } from "../../workloads/find-port.ts";
import { isPodReady } from "../../workloads/pods.ts";
import { selectorText } from "../../workloads/read-workload.ts";
import type { Acting } from "../live-value.ts";
import { ownership, parseObject, readTarget, type ScaleTarget } from "../scale-target.ts";
import type { Selector } from "../selects.ts";
import type { BlueGreenEnd, BlueGreenPlan } from "./end.ts";
import { selectorOf } from "./selector.ts";

export interface SelectedPods {
  /** Of the colour's workload. */
  readonly own: readonly Pod[];
  /** Of anybody else. */
  readonly strangers: readonly Pod[];
}

/** The pods that the Service has, or would have, with this selector. Throws KubeError. */
export async function selectedPods(
  workload: ScaleTarget,
  selector: Selector,
  { executor, namespace, signal }: Acting,
): Promise<SelectedPods> {
  const labelSelector = selectorText({ matchLabels: selector });
  const { items } = await executor.list(podType, { namespace, labelSelector, signal });
  // After the pods: the owner of each of them is there.
  const isOwn = await ownership(workload, executor, signal);
  return { own: items.filter(isOwn), strangers: items.filter((pod) => !isOwn(pod)) };
}

/** Those that can take traffic: Ready, not going away, with every port of the Service. */
export function servingPods(pods: readonly Pod[], { spec: { ports = [] } }: Service): readonly Pod[] {
  return pods.filter(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined &&
      isPodReady(pod) &&
      ports.every((port) => findPort(pod.spec, port) !== undefined),
  );
}

export interface Readiness {
  readonly isEnough: boolean;
  /** `1/3 pods of Deployment/web-blue are Ready for Service/web`. */
  readonly message: string;
  /** Ready or not. */
  readonly pods: readonly Pod[];
}

/** How many pods of the colour of `plan.to` can take the Service's traffic. Throws KubeError. */
export async function readiness(
  { object, to }: BlueGreenPlan,
  service: Service,
  acting: Acting,
): Promise<Readiness> {
  const { executor, namespace, signal } = acting;
  const workload = await readTarget(executor, namespace, parseObject(to.workload), signal);
  if (workload === undefined) return { isEnough: false, message: `${to.workload} is gone`, pods: [] };
  const selector = { ...selectorOf(service), [to.colorLabel]: to.color };
  const { own } = await selectedPods(workload, selector, acting);
  const ready = servingPods(own, service).length;
  const wanted = wantedPods(to);
  return {
    isEnough: ready >= wanted,
    message: `${ready}/${wanted} pods of ${to.workload} are Ready for ${object}`,
    pods: own,
  };
}

/** A colour that had no pods, as one that is gone back to may have had, is of no use without any. */
export function wantedPods({ pods }: BlueGreenEnd): number {
  return Math.max(1, pods);
}
