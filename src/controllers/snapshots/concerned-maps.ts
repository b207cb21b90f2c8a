import { configMapNames } from "../../kube/config-map-names.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Deployment } from "../../kube/well-known.ts";

/** More of one policy are not followed: its plans' come first. */
const MOST_MAPS = 32;

/** Names of the ConfigMaps that a policy's plans write or that its workload uses. Pure. */
export function concernedMaps(
  { spec }: Pick<RollbackPolicy, "spec">,
  deployment: Pick<Deployment, "spec"> | undefined,
): readonly string[] {
  const steps = (spec.plans ?? []).flatMap((plan) => plan.steps);
  const written = steps.flatMap(({ configMap, featureFlag }) => [
    configMap?.name,
    featureFlag?.configMap.name,
  ]);
  const used = deployment === undefined ? [] : configMapNames(deployment.spec.template);
  const names = [...written, ...used].filter((name) => name !== undefined);
  return [...new Set(names)].slice(0, MOST_MAPS);
}
