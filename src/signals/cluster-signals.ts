import type { LedgerMemory } from "./ledger-memory.ts";
import type { PodView } from "./pods/pod-watch.ts";

/** What sources see of the cluster, and where they remember it. */
export interface ClusterSignals {
  readonly pods: { view(target: string): PodView };
  readonly ledger: LedgerMemory;
  /** Of what is tried again at the next reading. */
  readonly onError: (error: unknown) => void;
}
