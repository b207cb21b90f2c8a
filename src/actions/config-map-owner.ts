import { gitOpsOwner } from "../gitops/owner.ts";
import type { ConfigMap } from "../kube/well-known.ts";

/** Why a change of the ConfigMap would be undone, as its own marks tell; undefined when they tell nothing. */
export function notOursToChange(map: ConfigMap): string | undefined {
  const owner = gitOpsOwner(map);
  return owner === undefined ? undefined : `managed by ${owner.tool} ${owner.owner}: ${owner.remedy}`;
}

/** A controller made it, and may write over it. */
export function ownerWarnings({ metadata }: ConfigMap): readonly string[] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined
    ? []
    : [`controlled by ${owner.kind} ${owner.name}, which may write over the change`];
}
