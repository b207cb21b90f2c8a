import { defineResource, type KubeObject } from "./objects.ts";

/** discovery.k8s.io/v1: some of the endpoints of a Service. */
export interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean; readonly [field: string]: unknown };
    readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
    readonly [field: string]: unknown;
  }[];
}

/** Label with the name of the Service. */
export const SERVICE_NAME = "kubernetes.io/service-name";
/** Label with who wrote the slice, and its value where that was Kubernetes, by the Service's selector. */
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
export const SLICE_CONTROLLER = "endpointslice-controller.k8s.io";

export const endpointSliceType = defineResource<EndpointSlice>({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  namespaced: true,
});
