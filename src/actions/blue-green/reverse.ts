import type { StepEnd } from "../../crds/rollback-request.ts";
import { digestOf } from "../digest.ts";
import type { BlueGreenPlan } from "./end.ts";

/** The way back to the colour that was left, brought to its number of pods again if it was scaled down meanwhile. */
export function reverseBlueGreen(plan: BlueGreenPlan, _after: StepEnd): BlueGreenPlan {
  const { temporary = [], ...rest } = plan;
  const condition = temporary.find(({ onlyWhile }) => onlyWhile !== undefined)?.onlyWhile;
  const raises = temporary
    .filter(({ found, during, restore }) => found === during && restore < during)
    .map((change) => ({
      ...change,
      found: change.restore,
      ...(condition === undefined
        ? {}
        : { onlyWhile: { ...condition, selectorDigest: plan.to.selectorDigest } }),
    }));
  return {
    ...rest,
    from: plan.to,
    to: plan.from,
    ...(raises.length === 0 ? {} : { temporary: raises }),
    digest: digestOf({ reverseOf: plan.digest }),
    warnings: [],
  };
}
