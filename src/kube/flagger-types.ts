import { defineResource, type KubeObject } from "./objects.ts";
import type { WireCondition } from "./well-known.ts";

/** Flagger's object: what it promotes from a target to the copy `TARGET-primary`, which serves. */
export interface Canary extends KubeObject {
  readonly spec: {
    readonly targetRef?: { readonly kind?: string; readonly name?: string };
    readonly service?: { readonly name?: string };
    /** A new template of the target is promoted without an analysis. */
    readonly skipAnalysis?: boolean;
    /** Nothing is promoted. */
    readonly suspend?: boolean;
    readonly [field: string]: unknown;
  };
  readonly status?: {
    readonly phase?: string;
    /** RFC 3339: when the phase last changed. */
    readonly lastTransitionTime?: string;
    readonly conditions?: readonly WireCondition[];
    readonly [field: string]: unknown;
  };
}

export const canaryType = defineResource<Canary>({
  apiVersion: "flagger.app/v1beta1",
  kind: "Canary",
  plural: "canaries",
  namespaced: true,
});
