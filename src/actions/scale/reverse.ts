import type { StepEnd } from "../../crds/rollback-request.ts";
import { digestOf } from "../digest.ts";
import type { ScalePlan } from "./plan.ts";

/** The way back: from the number that the change became to the one that was left. */
export function reverseScale(plan: ScalePlan, { replicas = plan.to.replicas }: StepEnd): ScalePlan {
  return {
    ...plan,
    from: { replicas },
    to: plan.from,
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}
