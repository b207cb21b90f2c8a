import { defineResource, type KubeObject } from "../../../src/kube/objects.ts";

/** As much of the Gateway API's HTTPRoute as the demo looks at; written by hand and not taken from the operator. */
export interface HttpRoute extends KubeObject {
  readonly spec: {
    readonly rules?: readonly {
      readonly backendRefs?: readonly { readonly name: string; readonly weight?: number }[];
    }[];
  };
}

export const httpRouteType = defineResource<HttpRoute>({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  plural: "httproutes",
  namespaced: true,
});

/** How many of a hundred requests the route sends to a Service, over all of its rules the most. */
export function shareOf({ spec }: HttpRoute, service: string): number {
  const shares = (spec.rules ?? []).map(({ backendRefs = [] }) => {
    const weightOf = ({ weight = 1 }: { readonly weight?: number }): number => weight;
    const all = backendRefs.reduce((sum, each) => sum + weightOf(each), 0);
    const own = backendRefs.filter(({ name }) => name === service);
    return all === 0 ? 0 : (own.reduce((sum, each) => sum + weightOf(each), 0) / all) * 100;
  });
  return Math.max(0, ...shares);
}
