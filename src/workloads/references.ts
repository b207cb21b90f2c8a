import type { Container, PodTemplateSpec, Volume } from "../kube/well-known.ts";

/** Kind of an object that pods of a template need in order to start. */
export type ReferenceKind =
  "ConfigMap" | "Secret" | "PersistentVolumeClaim" | "ServiceAccount" | ClusterReferenceKind;

/** These belong to no namespace. */
export type ClusterReferenceKind = "PriorityClass" | "RuntimeClass";

export interface Reference {
  readonly kind: ReferenceKind;
  readonly name: string;
  /** Where the template names it, for the message. */
  readonly usedBy: string;
}

/** Objects that the template's pods cannot start without; optional ones are left out. */
export function requiredReferences(template: PodTemplateSpec): readonly Reference[] {
  const spec = template.spec;
  if (spec === undefined) return [];
  const found: Reference[] = [
    ...[...(spec.initContainers ?? []), ...(spec.containers ?? [])].flatMap(ofContainer),
    ...(spec.volumes ?? []).flatMap(ofVolume),
    ...(spec.imagePullSecrets ?? []).flatMap((secret) =>
      reference("Secret", secret.name, "imagePullSecrets", undefined),
    ),
    ...reference("ServiceAccount", spec.serviceAccountName, "serviceAccountName", undefined),
    ...reference("PriorityClass", spec.priorityClassName, "priorityClassName", undefined),
    ...reference("RuntimeClass", spec.runtimeClassName, "runtimeClassName", undefined),
  ];
  const unique = new Map(found.map((entry) => [`${entry.kind}/${entry.name}`, entry]));
  return [...unique.values()];
}

function ofContainer(container: Container): readonly Reference[] {
  const where = `container ${container.name}`;
  return [
    ...(container.env ?? []).flatMap((variable) => [
      ...ofKey("ConfigMap", variable.valueFrom?.configMapKeyRef, where),
      ...ofKey("Secret", variable.valueFrom?.secretKeyRef, where),
    ]),
    ...(container.envFrom ?? []).flatMap((source) => [
      ...ofKey("ConfigMap", source.configMapRef, where),
      ...ofKey("Secret", source.secretRef, where),
    ]),
  ];
}

function ofVolume(volume: Volume): readonly Reference[] {
  const where = `volume ${volume.name}`;
  return [
    ...ofKey("ConfigMap", volume.configMap, where),
    ...reference("Secret", volume.secret?.secretName, where, volume.secret?.optional),
    ...reference("PersistentVolumeClaim", volume.persistentVolumeClaim?.claimName, where, undefined),
    ...(volume.projected?.sources ?? []).flatMap((source) => [
      ...ofKey("ConfigMap", source.configMap, where),
      ...ofKey("Secret", source.secret, where),
    ]),
  ];
}

interface NamedSource {
  readonly name?: string;
  readonly optional?: boolean;
}

function ofKey(kind: ReferenceKind, source: NamedSource | undefined, usedBy: string): readonly Reference[] {
  return reference(kind, source?.name, usedBy, source?.optional);
}

function reference(
  kind: ReferenceKind,
  name: string | undefined,
  usedBy: string,
  optional: boolean | undefined,
): readonly Reference[] {
  return name === undefined || name === "" || optional === true ? [] : [{ kind, name, usedBy }];
}
