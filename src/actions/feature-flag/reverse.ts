import { digestOf } from "../digest.ts";
import { restartAgain } from "../observe-restarts.ts";
import type { FlagEnd, FlagPlan } from "./plan.ts";

/** The way back: from the value that was set to the one before, which its snapshot holds. */
export function reverseFlag(plan: FlagPlan): FlagPlan {
  return {
    ...plan,
    from: identityOf(plan.to),
    to: { ...identityOf(plan.from), ...restartAgain(plan.to.restartedAt) },
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}

function identityOf({ key, contentDigest }: FlagEnd): FlagEnd {
  return { key, contentDigest };
}
