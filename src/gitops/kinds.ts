import type { GitOpsOwnerKind } from "../crds/gitops-hold.ts";
import { defineResource, type KubeObject, type ObjectMeta, type ResourceType } from "../kube/objects.ts";

interface ManagedMeta extends ObjectMeta {
  readonly managedFields?: readonly { readonly manager?: string; readonly fieldsV1?: object }[];
}

/** Where a tool reads what it applies, and whether it may. */
export interface GitOpsObject extends KubeObject {
  readonly metadata: ManagedMeta;
}

/** An object in the list that Argo CD keeps of what an Application consists of. */
export interface ApplicationResource {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Synced, OutOfSync, Unknown. */
  readonly status?: string;
  /** It carries the Application's mark and is not in Git. */
  readonly requiresPruning?: boolean;
}

/** Of `argoproj.io/v1alpha1`, the fields that we read. */
export interface Application extends GitOpsObject {
  readonly spec: {
    readonly syncPolicy?: {
      /** Absent: nothing is synced by itself. `enabled` since Argo CD 3.1. */
      readonly automated?: {
        readonly enabled?: boolean;
        readonly selfHeal?: boolean;
        readonly prune?: boolean;
      } | null;
      readonly syncOptions?: readonly string[];
    };
    readonly ignoreDifferences?: readonly {
      readonly group?: string;
      readonly kind?: string;
      readonly name?: string;
      readonly namespace?: string;
      readonly jsonPointers?: readonly string[];
      readonly jqPathExpressions?: readonly string[];
    }[];
  };
  readonly operation?: object;
  readonly status?: {
    readonly reconciledAt?: string;
    readonly resources?: readonly ApplicationResource[];
    readonly sync?: { readonly status?: string; readonly revision?: string };
    readonly operationState?: { readonly phase?: string };
  };
}

export interface ApplicationSet extends KubeObject {
  readonly spec: {
    readonly syncPolicy?: { readonly applicationsSync?: string };
    readonly preservedFields?: { readonly annotations?: readonly string[] };
    readonly ignoreApplicationDifferences?: readonly {
      readonly name?: string;
      readonly jsonPointers?: readonly string[];
      readonly jqPathExpressions?: readonly string[];
    }[];
  };
}

/** A Kustomization or HelmRelease, the fields that we read. */
export interface FluxObject extends GitOpsObject {
  readonly spec: {
    readonly suspend?: boolean;
    /** Of a HelmRelease. */
    readonly releaseName?: string;
    readonly targetNamespace?: string;
  };
  readonly status?: {
    readonly inventory?: { readonly entries?: readonly { readonly id?: string }[] };
  };
}

export const APPLICATIONS = defineResource<Application>({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  plural: "applications",
  namespaced: true,
});

export const APPLICATION_SETS = defineResource<ApplicationSet>({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "ApplicationSet",
  plural: "applicationsets",
  namespaced: true,
});

export const KUSTOMIZATIONS = defineResource<FluxObject>({
  apiVersion: "kustomize.toolkit.fluxcd.io/v1",
  kind: "Kustomization",
  plural: "kustomizations",
  namespaced: true,
});

export const HELM_RELEASES = defineResource<FluxObject>({
  apiVersion: "helm.toolkit.fluxcd.io/v2",
  kind: "HelmRelease",
  plural: "helmreleases",
  namespaced: true,
});

const KINDS: Readonly<Record<GitOpsOwnerKind, ResourceType<GitOpsObject>>> = {
  Application: APPLICATIONS,
  Kustomization: KUSTOMIZATIONS,
  HelmRelease: HELM_RELEASES,
};

export function ownerType(kind: GitOpsOwnerKind): ResourceType<GitOpsObject> {
  return KINDS[kind];
}
