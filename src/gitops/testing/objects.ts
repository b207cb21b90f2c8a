import { OWNER_ANNOTATIONS } from "../../crds/annotations.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { Application, FluxObject } from "../kinds.ts";

export const POLICY = "shop/web";

/** An Application that consents to the policy, with parts replaced. */
export function application(
  spec: Application["spec"],
  { status, metadata, ...rest }: Partial<Omit<Application, "spec">> = {},
): Application {
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: {
      name: "web",
      namespace: "argocd",
      uid: "app-1",
      resourceVersion: "7",
      creationTimestamp: "2026-01-01T00:00:00Z",
      annotations: { [OWNER_ANNOTATIONS.consent]: POLICY },
      ...metadata,
    },
    spec,
    ...(status === undefined ? {} : { status }),
    ...rest,
  };
}

export function kustomization(
  spec: FluxObject["spec"],
  metadata: Partial<FluxObject["metadata"]> = {},
): FluxObject {
  return {
    apiVersion: "kustomize.toolkit.fluxcd.io/v1",
    kind: "Kustomization",
    metadata: {
      name: "web",
      namespace: "flux-system",
      uid: "ks-1",
      resourceVersion: "7",
      creationTimestamp: "2026-01-01T00:00:00Z",
      annotations: { [OWNER_ANNOTATIONS.consent]: POLICY },
      ...metadata,
    },
    spec,
  };
}

/** The Deployment `shop/web` with these marks. */
export function deployment(
  annotations: Readonly<Record<string, string>> = {},
  labels: Readonly<Record<string, string>> = {},
): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "web",
      namespace: "shop",
      uid: "u",
      resourceVersion: "1",
      creationTimestamp: "",
      annotations,
      labels,
    },
  };
}
