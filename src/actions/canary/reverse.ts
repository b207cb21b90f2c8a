import type { StepEnd } from "../../crds/rollback-request.ts";
import { digestOf } from "../digest.ts";
import type { CanaryPlan } from "./canary-plan.ts";

/** The way back: from what the change became to the routes and the number of pods that were there before. */
export function reverseCanary(plan: CanaryPlan, { traffic, replicas, pausedReplicas }: StepEnd): CanaryPlan {
  const { restores, ...means } = plan.canary;
  return {
    ...plan,
    canary: restores === true ? means : { ...means, restores: true },
    from: {
      ...plan.to,
      ...(traffic === undefined ? {} : { traffic }),
      ...(replicas === undefined ? {} : { replicas }),
      ...(pausedReplicas === undefined ? {} : { pausedReplicas }),
    },
    to: plan.from,
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}
