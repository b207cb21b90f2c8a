import { errorMessage, isConflict, isForbidden, isInvalid, isNotFound } from "../../../kube/errors.ts";
import type { Rollout } from "../../../kube/rollout-types.ts";
import type { Advance, ApplyContext } from "../../action.ts";
import { needsNudge, sendNudge } from "./nudge.ts";
import { resumeStable, waitsForPromotionOfStable } from "./resume.ts";

type Looking = Pick<ApplyContext, "appliedAt" | "now">;

/** Whether Argo Rollouts does not go on by itself. Pure. */
export function needsAdvance(rollout: Rollout, { appliedAt = 0, now }: Looking): boolean {
  return waitsForPromotionOfStable(rollout) || needsNudge(rollout, appliedAt, now);
}

/** The one next write, if one is due. Throws KubeError. */
export async function advanceRollout(rollout: Rollout, context: ApplyContext): Promise<Advance> {
  const { executor, signal, now, appliedAt = 0 } = context;
  if (waitsForPromotionOfStable(rollout)) {
    return unlessMoved(
      rollout,
      resumeStable(rollout, executor, signal),
      "the pause before the stable version is ended, so that the Service goes back to it",
    );
  }
  return needsNudge(rollout, appliedAt, now)
    ? unlessMoved(rollout, sendNudge(rollout, now, executor, signal), "Argo Rollouts is asked to look again")
    : { message: "" };
}

/** What changed in between is looked at again; a right that is missing is said. */
async function unlessMoved({ metadata }: Rollout, act: Promise<unknown>, done: string): Promise<Advance> {
  try {
    await act;
    return { message: done };
  } catch (error) {
    if (isForbidden(error)) return { message: `Rollout ${metadata.name} waits: ${errorMessage(error)}` };
    if (!isInvalid(error) && !isConflict(error) && !isNotFound(error)) throw error;
    return { message: `Rollout ${metadata.name} changed meanwhile` };
  }
}
