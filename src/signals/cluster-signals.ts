import type { LedgerMemory } from "./ledger-memory.ts";
import type { PodView } from "./pods/pod-watch.ts";
import type { ReportView } from "./vulnerabilities/report-watch.ts";
import type { VulnerabilitiesSourceOptions } from "./vulnerabilities/vulnerabilities-source.ts";

/** What sources see of the cluster, and where they remember it. */
export interface ClusterSignals {
  readonly pods: { view(target: string): PodView };
  readonly reports: { view(target: string): ReportView };
  readonly containersOf: VulnerabilitiesSourceOptions["containersOf"];
  readonly ledger: LedgerMemory;
  /** Of what is tried again at the next reading. */
  readonly onError: (error: unknown) => void;
}
