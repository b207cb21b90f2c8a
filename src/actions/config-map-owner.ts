import type { ConfigMap } from "../kube/well-known.ts";

/** A controller made it, and may write over it. */
export function ownerWarnings({ metadata }: ConfigMap): readonly string[] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined
    ? []
    : [`controlled by ${owner.kind} ${owner.name}, which may write over the change`];
}
