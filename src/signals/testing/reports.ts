import type { VulnerabilityReport } from "../../kube/trivy-types.ts";
import { iso, T0 } from "./pods.ts";

export interface ReportShape {
  readonly replicaSet?: string;
  readonly container?: string;
  readonly scannedAt?: number;
  readonly digest?: string;
  /** By ID: severity, and when it was published. */
  readonly found?: Readonly<Record<string, readonly [severity: string, publishedDate?: string]>>;
}

/** A report as the Trivy Operator makes it about ReplicaSet `web-2`, unless told otherwise. */
export function report(shape: ReportShape = {}): VulnerabilityReport {
  const { replicaSet = "web-2", container = "app", scannedAt = T0, found = {} } = shape;
  const name = `replicaset-${replicaSet}-${container}`;
  return {
    apiVersion: "aquasecurity.github.io/v1alpha1",
    kind: "VulnerabilityReport",
    metadata: {
      name,
      namespace: "shop",
      uid: name,
      resourceVersion: "1",
      creationTimestamp: iso(scannedAt),
      labels: {
        "trivy-operator.resource.kind": "ReplicaSet",
        "trivy-operator.resource.name": replicaSet,
        "trivy-operator.container.name": container,
      },
    },
    report: {
      updateTimestamp: iso(scannedAt),
      registry: { server: "index.docker.io" },
      artifact: {
        repository: "acme/web",
        tag: "v1",
        digest: shape.digest ?? `sha256:${replicaSet}${container}`,
      },
      vulnerabilities: Object.entries(found).map(([vulnerabilityID, [severity, publishedDate = ""]]) => ({
        vulnerabilityID,
        severity,
        publishedDate,
        title: "long prose ".repeat(20),
      })),
    },
  };
}
