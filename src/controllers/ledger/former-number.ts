import type { StepEnd } from "../../crds/rollback-request.ts";

/**
 * The number that a revision had before it was put back, for kinds whose history does not keep it: a ReplicaSet says
 * so in an annotation, a ControllerRevision forgets it.
 */
export function formerNumber(
  { kind }: { readonly kind: string },
  to: StepEnd | undefined,
): { readonly formerly?: number } {
  return kind === "Deployment" || kind === "Rollout" || to?.revision === undefined
    ? {}
    : { formerly: to.revision };
}
