import { digestOf } from "../digest.ts";
import type { WorkloadPlan } from "./plan.ts";

/** The way back: the same change with its ends exchanged. */
export function reverseWorkload(plan: WorkloadPlan): WorkloadPlan {
  return {
    ...plan,
    from: plan.to,
    to: plan.from,
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}
