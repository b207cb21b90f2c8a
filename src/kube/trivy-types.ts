import { defineResource, type KubeObject } from "./objects.ts";

/**
 * A report of the Trivy Operator about one image of one workload; of a Deployment's it is about the ReplicaSet. As its CRD
 * has it (https://aquasecurity.github.io/trivy-operator/latest/docs/crds/vulnerability-report/).
 */
export interface VulnerabilityReport extends KubeObject {
  readonly report: {
    /** When it was scanned. */
    readonly updateTimestamp?: string;
    readonly registry?: { readonly server?: string };
    readonly artifact?: { readonly repository?: string; readonly tag?: string; readonly digest?: string };
    readonly vulnerabilities?: readonly {
      readonly vulnerabilityID: string;
      readonly severity: string;
      /** RFC 3339, or empty. */
      readonly publishedDate?: string;
      readonly [field: string]: unknown;
    }[];
    readonly [field: string]: unknown;
  };
}

export const vulnerabilityReportType = defineResource<VulnerabilityReport>({
  apiVersion: "aquasecurity.github.io/v1alpha1",
  kind: "VulnerabilityReport",
  plural: "vulnerabilityreports",
  namespaced: true,
});

/** Whose image it is about; the name only as long as it fits into a label. */
export const TRIVY_RESOURCE_KIND = "trivy-operator.resource.kind";
export const TRIVY_RESOURCE_NAME = "trivy-operator.resource.name";
export const TRIVY_CONTAINER_NAME = "trivy-operator.container.name";
