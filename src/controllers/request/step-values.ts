import { isDeepStrictEqual } from "node:util";
import { digestOf } from "../../actions/digest.ts";
import type { ConfigMapSpec } from "../../actions/config-map/index.ts";
import type { FlagSpec } from "../../actions/feature-flag/index.ts";
import type { RequestStep } from "../../crds/steps.ts";

/** A step whose values may be gone: then its status kept none, and its policy has others by now. */
export type WrittenStep = Omit<RequestStep, "configMap" | "featureFlag"> & {
  readonly configMap?: ConfigMapSpec | undefined;
  readonly featureFlag?: FlagSpec | undefined;
};

/** The steps as a status may hold them: with digests in the place of values for ConfigMaps. */
export function withoutStepValues(steps: readonly WrittenStep[]): RequestStep[] {
  return steps.map((step) => {
    const { configMap, featureFlag, ...others } = step;
    return {
      ...others,
      ...(configMap === undefined ? {} : { configMap: { ...configMap, to: hiddenTo(configMap) } }),
      ...(featureFlag === undefined
        ? {}
        : {
            featureFlag: {
              configMap: {
                ...featureFlag.configMap,
                value: hidden(
                  featureFlag.configMap.name,
                  featureFlag.configMap.key,
                  featureFlag.configMap.value,
                ),
              },
            },
          }),
    };
  });
}

/** The steps of a status with their values again, as far as the policy's plan still has the same. */
export function withStepValues(
  stored: readonly RequestStep[],
  current: readonly RequestStep[],
): readonly WrittenStep[] {
  return stored.map((step): WrittenStep => {
    if (step.configMap?.to.values === undefined && step.featureFlag === undefined) return step;
    const [same] = current.filter((each) => isDeepStrictEqual(withoutStepValues([each]), [step]));
    if (same !== undefined) return same;
    const { configMap, featureFlag, ...others } = step;
    return {
      ...others,
      ...(configMap === undefined ? {} : { configMap: { ...configMap, to: {} } }),
      ...(featureFlag === undefined
        ? {}
        : { featureFlag: { configMap: { ...featureFlag.configMap, value: undefined } } }),
    };
  });
}

function hiddenTo({ name, to }: ConfigMapSpec): ConfigMapSpec["to"] {
  if (to.values === undefined) return to;
  const values = Object.entries(to.values).map(([key, value]) => [key, hidden(name, key, value)] as const);
  return { ...to, values: Object.fromEntries(values) };
}

/** Equal values of two keys do not show. */
function hidden(name: string, key: string, value: string | undefined): string {
  return `sha256:${digestOf([name, key, value])}`;
}
