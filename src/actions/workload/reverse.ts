import type { RevisionRef } from "../../crds/rollback-request.ts";
import { digestOf } from "../digest.ts";
import type { WorkloadPlan } from "./plan.ts";

/** The way back: from what the change became, which was renumbered since the plan, to what was live before. */
export function reverseWorkload(plan: WorkloadPlan, after: RevisionRef): WorkloadPlan {
  return {
    ...plan,
    from: after,
    to: plan.from,
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}
