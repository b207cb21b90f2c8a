import type { VulnerabilitySeverity } from "../../crds/vulnerability-signal.ts";
import type { KubeObject } from "../../kube/objects.ts";
import {
  TRIVY_CONTAINER_NAME,
  TRIVY_RESOURCE_KIND,
  TRIVY_RESOURCE_NAME,
  type VulnerabilityReport,
} from "../../kube/trivy-types.ts";
import { deploymentOfReplicaSet } from "../pods/pod-facts.ts";

/** A report as far as signals read it. */
export interface ReportFacts extends KubeObject {
  readonly replicaSet: string;
  readonly container: string;
  /** By digest where the report has one. */
  readonly image: string;
  /** ms since the epoch. */
  readonly scannedAt: number;
  /** IDs by severity, each as `ID` or `ID@DAY` of its publication, apart by spaces: hundreds, in one string. */
  readonly listed: Readonly<Record<ListedSeverity, string>>;
}

/** Worst first. Unknown counts for no threshold, but an image that has such an ID has it. */
const SEVERITIES = ["Critical", "High", "Medium", "Low", "Unknown"] as const;
type ListedSeverity = (typeof SEVERITIES)[number];

export interface Vulnerability {
  readonly id: string;
  /** ms since the epoch, to the day; undefined where the report does not say. */
  readonly publishedAt: number | undefined;
}

/** The ReplicaSet that a report is about, by its owner or, without one, by labels. */
export function replicaSetOf({ metadata }: Pick<VulnerabilityReport, "metadata">): string | undefined {
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === "ReplicaSet");
  if (owner !== undefined) return owner.name;
  const { labels = {}, annotations = {} } = metadata;
  if (labels[TRIVY_RESOURCE_KIND] !== "ReplicaSet") return undefined;
  return labels[TRIVY_RESOURCE_NAME] ?? annotations[TRIVY_RESOURCE_NAME];
}

/** `namespace/name` of the Deployment that a report is about. */
export function targetOfReport(report: Pick<VulnerabilityReport, "metadata">): string | undefined {
  const deployment = deploymentOfReplicaSet(replicaSetOf(report) ?? "");
  return deployment === undefined ? undefined : `${report.metadata.namespace ?? ""}/${deployment}`;
}

/** For the cache. A report is hundreds of kilobytes, most of it prose. */
export function reportFacts(object: VulnerabilityReport): ReportFacts {
  const { apiVersion, kind, metadata, report } = object;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const replicaSet = replicaSetOf(object) ?? "";
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: replicaSet, uid: "" };
  const scannedAt = Date.parse(report.updateTimestamp ?? "");
  const worst = new Map<string, { readonly rank: number; readonly text: string }>();
  for (const { vulnerabilityID, severity, publishedDate } of report.vulnerabilities ?? []) {
    const rank = rankOf(severity);
    if (rank >= (worst.get(vulnerabilityID)?.rank ?? Infinity)) continue;
    const day = dayOf(publishedDate);
    worst.set(vulnerabilityID, {
      rank,
      text: day === undefined ? vulnerabilityID : `${vulnerabilityID}@${day}`,
    });
  }
  const listed = SEVERITIES.map((each, rank) => {
    const texts = [...worst.values()].filter((one) => one.rank === rank).map(({ text }) => text);
    return [each, texts.toSorted().join(" ")] as const;
  });
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp, ownerReferences: [owner] },
    replicaSet,
    container: metadata.labels?.[TRIVY_CONTAINER_NAME] ?? "",
    image: imageOf(report),
    scannedAt: Number.isNaN(scannedAt) ? Date.parse(creationTimestamp) : scannedAt,
    listed: Object.fromEntries(listed) as Record<ListedSeverity, string>,
  };
}

function imageOf({ registry, artifact = {} }: VulnerabilityReport["report"]): string {
  const { repository = "", tag, digest } = artifact;
  const name = registry?.server === undefined ? repository : `${registry.server}/${repository}`;
  if (digest !== undefined && digest !== "") return `${name}@${digest}`;
  return tag === undefined ? name : `${name}:${tag}`;
}

function rankOf(severity: string): number {
  const rank = SEVERITIES.findIndex((each) => each.toUpperCase() === severity.toUpperCase());
  return rank === -1 ? SEVERITIES.length - 1 : rank;
}

function dayOf(date: string | undefined): string | undefined {
  const at = Date.parse(date ?? "");
  return Number.isNaN(at) ? undefined : new Date(at).toISOString().slice(0, 10);
}

/** Those of a severity and of worse ones. */
export function vulnerabilitiesOf(
  { listed }: Pick<ReportFacts, "listed">,
  atLeast: VulnerabilitySeverity,
): readonly Vulnerability[] {
  return SEVERITIES.slice(0, SEVERITIES.indexOf(atLeast) + 1)
    .flatMap((severity) => wordsOf(listed[severity]))
    .map((word) => {
      const [id = "", day] = word.split("@");
      return { id, publishedAt: day === undefined ? undefined : Date.parse(day) };
    });
}

/** Every ID, whatever its severity: that may be another one in the next scan. Sorted, apart by spaces. */
export function allIds({ listed }: Pick<ReportFacts, "listed">): string {
  return SEVERITIES.flatMap((severity) => wordsOf(listed[severity]))
    .map((word) => word.split("@")[0] ?? "")
    .toSorted()
    .join(" ");
}

export function wordsOf(text: string): readonly string[] {
  return text === "" ? [] : text.split(" ");
}
