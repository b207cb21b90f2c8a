import type { StepEnd } from "../../crds/rollback-request.ts";
import { digestOf } from "../digest.ts";
import type { RestartPlan } from "./plan.ts";

/** The way back: the template as it was, which replaces the pods once more. */
export function reverseRestart(plan: RestartPlan, after: StepEnd): RestartPlan {
  return {
    ...plan,
    from: { ...after, ...plan.to },
    to: plan.from,
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}
