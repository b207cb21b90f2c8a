import { vulnerabilityReportType } from "../../src/kube/trivy-types.ts";
import type { ReplicaSet } from "../../src/kube/well-known.ts";
import type { Kubectl } from "./kubectl.ts";
import type { World } from "./world.ts";
import { awaitEstablished } from "./established.ts";

/**
 * Makes VulnerabilityReport known to the API server, without the Trivy Operator. Written for these tests: the fields that
 * reports must have are those of the project's own CRD, which no package here carries; others are stored as they come.
 */
export async function installReportCrd(kubectl: Kubectl): Promise<void> {
  await kubectl(["apply", "-f", "-"], REPORT_CRD);
  const crd = "crd/vulnerabilityreports.aquasecurity.github.io";
  await awaitEstablished(kubectl, [crd]);
}

const REPORT_CRD = JSON.stringify({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "vulnerabilityreports.aquasecurity.github.io" },
  spec: {
    group: "aquasecurity.github.io",
    scope: "Namespaced",
    names: {
      kind: "VulnerabilityReport",
      listKind: "VulnerabilityReportList",
      plural: "vulnerabilityreports",
      singular: "vulnerabilityreport",
    },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            required: ["report"],
            "x-kubernetes-preserve-unknown-fields": true,
            properties: {
              report: {
                type: "object",
                required: ["artifact", "os", "scanner", "summary", "updateTimestamp", "vulnerabilities"],
                "x-kubernetes-preserve-unknown-fields": true,
                properties: {
                  updateTimestamp: { type: "string", format: "date-time" },
                  vulnerabilities: {
                    type: "array",
                    items: {
                      type: "object",
                      required: ["severity", "vulnerabilityID", "publishedDate"],
                      "x-kubernetes-preserve-unknown-fields": true,
                      properties: {
                        severity: { type: "string", enum: ["CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"] },
                        vulnerabilityID: { type: "string" },
                        publishedDate: { type: "string" },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
});

/** Plays the Trivy Operator: a report about the container `app` of a ReplicaSet. IDs with their severity. */
export async function reportOn(
  { client }: Pick<World, "client">,
  { metadata }: ReplicaSet,
  found: Readonly<Record<string, string>>,
): Promise<void> {
  const { namespace = "", name, uid } = metadata;
  const vulnerabilities = Object.entries(found).map(([vulnerabilityID, severity]) => ({
    vulnerabilityID,
    severity,
    publishedDate: "2024-03-01T10:00:00Z",
    resource: "openssl",
    installedVersion: "1",
    fixedVersion: "2",
    title: "a vulnerability",
  }));
  await client.create(
    vulnerabilityReportType,
    {
      metadata: {
        namespace,
        name: reportName(name),
        labels: {
          "trivy-operator.container.name": "app",
          "trivy-operator.resource.kind": "ReplicaSet",
          "trivy-operator.resource.name": name,
        },
        ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name, uid, controller: true }],
      },
      report: {
        updateTimestamp: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
        artifact: { repository: "acme/web", tag: "v1", digest: `sha256:${uid}` },
        os: {},
        scanner: { name: "Trivy", vendor: "Aqua Security", version: "0" },
        summary: { criticalCount: 0, highCount: 0, mediumCount: 0, lowCount: 0, unknownCount: 0 },
        vulnerabilities,
      },
    },
    { signal: new AbortController().signal },
  );
}

/** As the Trivy Operator does with reports that are a day old, or of a revision that is not current any more. */
export async function expireReport(
  { client }: Pick<World, "client">,
  { metadata }: ReplicaSet,
): Promise<void> {
  const { namespace = "", name } = metadata;
  await client.delete(
    vulnerabilityReportType,
    { namespace, name: reportName(name) },
    { signal: new AbortController().signal },
  );
}

function reportName(replicaSet: string): string {
  return `replicaset-${replicaSet}-app`;
}
