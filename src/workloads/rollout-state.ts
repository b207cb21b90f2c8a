import type { Deployment } from "../kube/well-known.ts";

export interface RolloutState {
  readonly complete: boolean;
  /** The Deployment controller has seen the newest spec. */
  readonly observed: boolean;
  readonly message: string;
}

/** Source: kubectl `pkg/polymorphichelpers/rollout_status.go`. Completion wins over any condition. */
export function rolloutState(deployment: Deployment): RolloutState {
  const wanted = deployment.spec.replicas ?? 1;
  const status = deployment.status ?? {};
  const updated = status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  const old = (status.replicas ?? 0) - updated;
  if ((status.observedGeneration ?? 0) < (deployment.metadata.generation ?? 0)) {
    return {
      complete: false,
      observed: false,
      message: "the Deployment controller has not seen the change yet",
    };
  }
  const numbers = `${updated}/${wanted} updated, ${available}/${wanted} available`;
  if (deployment.spec.paused === true) {
    return {
      complete: false,
      observed: true,
      message: `${numbers}; somebody paused it: run "kubectl rollout resume"`,
    };
  }
  if (updated < wanted) return { complete: false, observed: true, message: numbers };
  if (old > 0) return { complete: false, observed: true, message: `${numbers}, ${old} old still there` };
  if (available < updated) return { complete: false, observed: true, message: numbers };
  return { complete: true, observed: true, message: numbers };
}
