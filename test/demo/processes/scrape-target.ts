import type { Pod } from "../../../src/kube/well-known.ts";

/** A pod as a target of Prometheus' file_sd and http_sd; undefined for one that does not ask to be scraped. */
export interface ScrapeTarget {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export function scrapeTarget(pod: Pod): ScrapeTarget | undefined {
  const { annotations = {}, labels = {}, name, namespace = "" } = pod.metadata;
  const podIP = pod.status?.["podIP"];
  if (annotations["prometheus.io/scrape"] !== "true" || pod.status?.phase !== "Running") return undefined;
  if (typeof podIP !== "string") return undefined;
  const host = podIP.includes(":") ? `[${podIP}]` : podIP;
  const port = annotations["prometheus.io/port"] ?? "80";
  return { targets: [`${host}:${port}`], labels: { namespace, pod: name, app: labels["app"] ?? "" } };
}
