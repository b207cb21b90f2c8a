import { revisionOf, type StepEnd } from "../../crds/rollback-request.ts";
import { digestOf } from "../digest.ts";
import type { WorkloadPlan } from "./plan.ts";

/** The way back: from what the change became, which was renumbered since the plan, to what was live before. */
export function reverseWorkload(plan: WorkloadPlan, after: StepEnd): WorkloadPlan {
  return {
    ...plan,
    from: revisionOf(after) ?? plan.from,
    to: plan.from,
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}
