import type { GitOpsOwnerKind } from "../crds/gitops-hold.ts";
import { groupOf, type KubeObject } from "../kube/objects.ts";
import type { WireCondition } from "../kube/well-known.ts";
import { holdField } from "./hold-field.ts";
import type { FluxObject, GitOpsObject } from "./kinds.ts";
import { setsField } from "./written-fields.ts";

/** Helm writes on what it installs which release that was. */
const RELEASE_NAME = "meta.helm.sh/release-name";

/**
 * Whether Flux itself counts the object among what it applied. Older HelmReleases keep no inventory: then Helm's own mark
 * on the object has to do.
 */
export function inventoryHas({ kind, metadata, spec, status }: FluxObject, object: KubeObject): boolean {
  const entries = status?.inventory?.entries;
  if (entries === undefined && kind === "HelmRelease") {
    const { releaseName, targetNamespace } = spec;
    const usual = targetNamespace === undefined ? metadata.name : `${targetNamespace}-${metadata.name}`;
    return object.metadata.annotations?.[RELEASE_NAME] === (releaseName ?? usual);
  }
  const { namespace = "", name } = object.metadata;
  // As in cli-utils: parts joined by underscores, colons of names doubled.
  const id = [namespace, name.replaceAll(":", "__"), groupOf(object), object.kind].join("_");
  return (entries ?? []).some((entry) => entry.id === id);
}

/** What began before the hold still writes. */
export function isReconciling({ status }: FluxObject): boolean {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly WireCondition[] };
  return conditions.some(({ type, status: value }) => type === "Reconciling" && value === "True");
}

/** Whether the Kustomization or HelmRelease that makes this object would write the field again. */
export function isTakenAwayByFlux(object: GitOpsObject, parentKind: string): boolean {
  const manager = parentKind === "HelmRelease" ? "helm-controller" : "kustomize-controller";
  return setsField(object, holdField(object.kind as GitOpsOwnerKind).path, manager);
}
