import type { Rollout } from "../kube/rollout-types.ts";
import type { Deployment } from "../kube/well-known.ts";
import type { DaemonSet, StatefulSet } from "../kube/workload-types.ts";
import { isOnDelete, partitionOf, type LiveWorkload } from "./workload.ts";

export interface RolloutState {
  readonly complete: boolean;
  /** The workload's controller has seen the newest spec. */
  readonly observed: boolean;
  readonly message: string;
}

/** Source: kubectl `pkg/polymorphichelpers/rollout_status.go`. Completion wins over any condition. */
export function rolloutStateOf(workload: LiveWorkload): RolloutState {
  switch (workload.kind) {
    case "Deployment":
      return rolloutState(workload.object);
    case "StatefulSet":
      return statefulSetState(workload.object);
    case "DaemonSet":
      return daemonSetState(workload.object);
    case "Rollout":
      return argoRolloutState(workload.object);
  }
}

export function rolloutState(deployment: Deployment): RolloutState {
  const wanted = deployment.spec.replicas ?? 1;
  const status = deployment.status ?? {};
  const updated = status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  const old = (status.replicas ?? 0) - updated;
  if (!isObserved(deployment)) return unobserved("Deployment");
  const numbers = `${updated}/${wanted} updated, ${available}/${wanted} available`;
  if (deployment.spec.paused === true) {
    return incomplete(`${numbers}; somebody paused it: run "kubectl rollout resume"`);
  }
  if (updated < wanted) return incomplete(numbers);
  if (old > 0) return incomplete(`${numbers}, ${old} old still there`);
  if (available < updated) return incomplete(numbers);
  return complete(numbers);
}

/**
 * Beyond kubectl's rules: with a partition of 0 every pod must be of the live revision (kubectl says done while ready
 * pods are old), pods must be available and not only ready, and OnDelete, which kubectl refuses, is complete when its
 * pods are.
 */
export function statefulSetState(set: StatefulSet): RolloutState {
  const { status = {}, spec } = set;
  if (!isObserved(set)) return unobserved("StatefulSet");
  const wanted = spec.replicas ?? 1;
  const partition = partitionOf(set);
  const toUpdate = Math.max(0, wanted - partition);
  const updated = status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  const numbers = `${Math.min(updated, toUpdate)}/${toUpdate} updated, ${available}/${wanted} available`;
  if (updated < toUpdate || available < wanted) return incomplete(numbers);
  // Never set for OnDelete: there only the count of updated pods tells.
  const isOneRevision = status.currentRevision === status.updateRevision;
  if (partition === 0 && !isOnDelete(spec) && wanted > 0 && !isOneRevision) {
    return incomplete(`${numbers}, not yet the only revision`);
  }
  return complete(partition === 0 ? numbers : `${numbers}, ${wanted - toUpdate} kept by the partition`);
}

export function daemonSetState(set: DaemonSet): RolloutState {
  const { status = {} } = set;
  if (!isObserved(set)) return unobserved("DaemonSet");
  const wanted = status.desiredNumberScheduled ?? 0;
  const updated = status.updatedNumberScheduled ?? 0;
  const available = status.numberAvailable ?? 0;
  const numbers = `${updated}/${wanted} updated, ${available}/${wanted} available`;
  return updated < wanted || available < wanted ? incomplete(numbers) : complete(numbers);
}

/**
 * Argo Rollouts' own word, in the words of its dashboard, and its facts beside it: right after a change of the template
 * the phase may be that of the traffic before.
 */
export function argoRolloutState(rollout: Rollout): RolloutState {
  if (!isObserved(rollout)) return unobserved("Rollout");
  const { status = {}, spec } = rollout;
  const { updatedReplicas = 0, availableReplicas = 0, phase = "Progressing", message = "" } = status;
  const wanted = spec.replicas ?? 1;
  const numbers = `${updatedReplicas}/${wanted} updated, ${availableReplicas}/${wanted} available`;
  if (phase === "Healthy" && status.abort !== true && isPromoted(rollout)) return complete(numbers);
  const said = message === "" ? phase : `${phase}: ${message}`;
  return incomplete(`${numbers}${stepOf(rollout)}; ${said}`);
}

/** The wanted version is the stable one, and gets the traffic. */
function isPromoted({ spec, status }: Rollout): boolean {
  const { currentPodHash, stableRS, blueGreen } = status ?? {};
  if (stableRS === undefined || currentPodHash !== stableRS) return false;
  return spec.strategy?.blueGreen === undefined || blueGreen?.activeSelector === currentPodHash;
}

function stepOf(rollout: Rollout): string {
  const steps = rollout.spec.strategy?.canary?.steps?.length ?? 0;
  return steps === 0 || isPromoted(rollout)
    ? ""
    : `, step ${rollout.status?.currentStepIndex ?? 0} of ${steps}`;
}

/** What isObserved looks at. */
interface Observable {
  readonly metadata: { readonly generation?: number | undefined };
  /** As text in Argo Rollouts. */
  readonly status?: { readonly observedGeneration?: number | string | undefined } | undefined;
}

/** The controller has taken up the newest spec. */
export function isObserved({ metadata, status }: Observable): boolean {
  return Number(status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

function unobserved(kind: string): RolloutState {
  return {
    complete: false,
    observed: false,
    message: `the ${kind} controller has not seen the change yet`,
  };
}

function incomplete(message: string): RolloutState {
  return { complete: false, observed: true, message };
}

function complete(message: string): RolloutState {
  return { complete: true, observed: true, message };
}
