import type { KubeClient } from "../kube/client.ts";
import { isForbidden, isNotFound } from "../kube/errors.ts";
import type { ResourceType } from "../kube/objects.ts";
import {
  configMapType,
  persistentVolumeClaimType,
  priorityClassType,
  runtimeClassType,
  secretType,
  serviceAccountType,
  type PodTemplateSpec,
} from "../kube/well-known.ts";
import { requiredReferences, type Reference, type ReferenceKind } from "./references.ts";

const TYPES: Readonly<Record<ReferenceKind, ResourceType>> = {
  ConfigMap: configMapType,
  Secret: secretType,
  PersistentVolumeClaim: persistentVolumeClaimType,
  ServiceAccount: serviceAccountType,
  PriorityClass: priorityClassType,
  RuntimeClass: runtimeClassType,
};

export interface DependencyReport {
  readonly missing: readonly Reference[];
  /** References that the executor may not read: shown as unchecked, never as fine. */
  readonly unchecked: readonly Reference[];
}

/**
 * Whether everything exists that pods of the template need to start. Reads metadata only, so that no value of a
 * Secret or ConfigMap enters this process.
 */
export async function checkDependencies(
  template: PodTemplateSpec,
  executor: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<DependencyReport> {
  const references = requiredReferences(template);
  const states = await Promise.all(
    references.map((reference) => stateOf(reference, executor, namespace, signal)),
  );
  return {
    missing: references.filter((_, index) => states[index] === "Missing"),
    unchecked: references.filter((_, index) => states[index] === "Unchecked"),
  };
}

async function stateOf(
  reference: Reference,
  executor: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<"Present" | "Missing" | "Unchecked"> {
  try {
    const type = TYPES[reference.kind];
    const key = { namespace: type.namespaced ? namespace : "", name: reference.name };
    await executor.getMetadata(type, key, { signal });
    return "Present";
  } catch (error) {
    if (isNotFound(error)) return "Missing";
    if (isForbidden(error)) return "Unchecked";
    throw error;
  }
}
