import type { StepEnd } from "../../crds/rollback-request.ts";
import { digestOf } from "../digest.ts";
import { restartAgain } from "../observe-restarts.ts";
import type { ConfigMapPlan, ContentEnd } from "./plan.ts";

/** The way back: from the content that was put in place to the one before, which its snapshot holds. */
export function reverseConfigMap(
  plan: ConfigMapPlan,
  { objectUid = plan.objectUid }: StepEnd,
): ConfigMapPlan {
  return {
    ...plan,
    objectUid,
    from: identityOf(plan.to),
    to: { ...identityOf(plan.from), ...restartAgain(plan.to.restartedAt) },
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}

function identityOf({ contentDigest, immutable }: ContentEnd): ContentEnd {
  return { contentDigest, ...(immutable === true ? { immutable } : {}) };
}
