import type { PodTemplateSpec } from "./pod-types.ts";

/** Names of the ConfigMaps that pods of the template use, in env or as files, optional ones too; sorted. */
export function configMapNames({ spec }: PodTemplateSpec): readonly string[] {
  const { initContainers = [], containers, volumes = [] } = spec;
  const inEnv = [...initContainers, ...containers].flatMap(({ env = [], envFrom = [] }) => [
    ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
    ...envFrom.map(({ configMapRef }) => configMapRef?.name),
  ]);
  const inFiles = volumes.flatMap(({ configMap, projected }) => [
    configMap?.name,
    ...(projected?.sources ?? []).map((source) => source.configMap?.name),
  ]);
  return [...new Set([...inEnv, ...inFiles].filter((name) => name !== undefined))].toSorted();
}
