import type { Rollout } from "../../../kube/rollout-types.ts";

/** Why a Rollout cannot be put back through its own spec now, and what to do about it. */
export interface RolloutProblem {
  readonly reason: string;
  readonly message: string;
}

/** Undefined when Argo Rollouts would act on a change of the Rollout's template. Pure. */
export function rolloutProblem({ metadata, spec, status }: Rollout): RolloutProblem | undefined {
  const { name } = metadata;
  const { workloadRef } = spec;
  if (workloadRef !== undefined) {
    return {
      reason: "TargetOwned",
      message: `its template is that of ${workloadRef.kind}/${workloadRef.name} (workloadRef): run "kubectl argo rollouts undo ${name}", or keep the template in the Rollout`,
    };
  }
  if (spec.paused === true) {
    return {
      reason: "Paused",
      message: `it is paused (spec.paused), so a restored template would not be rolled out: run "kubectl patch rollout ${name} --type merge -p '{"spec":{"paused":false}}'" first`,
    };
  }
  if ((spec.strategy?.canary ?? spec.strategy?.blueGreen)?.antiAffinity !== undefined) {
    return {
      reason: "AntiAffinity",
      message: `with strategy antiAffinity Argo Rollouts takes a template out of its history for another one, and keeps the stable pods away from each other: run "kubectl argo rollouts abort ${name}" if an update is under way, then deploy the old version as it was written`,
    };
  }
  const invalid = status?.conditions?.find((each) => each.type === "InvalidSpec" && each.status === "True");
  if (invalid !== undefined) {
    return {
      reason: "InvalidSpec",
      message: `Argo Rollouts acts on no change of it while its spec is invalid: ${invalid.message ?? invalid.reason ?? ""}`,
    };
  }
  return undefined;
}
