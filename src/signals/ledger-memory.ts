import type { RollbackLedgerSpec } from "../crds/rollback-ledger.ts";

/** A policy's workload, by name. */
export interface SignalTarget {
  readonly group: string;
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
}

/** What sources remember beyond the life of this process: lists in the target's RollbackLedger. */
export interface LedgerMemory {
  /** As the cache has it; undefined when nothing was ever recorded. */
  get(target: SignalTarget): RollbackLedgerSpec | undefined;
  /** By compare-and-set; a change that gives back the same object writes nothing. Throws KubeError. */
  change(
    target: SignalTarget,
    change: (ledger: RollbackLedgerSpec) => RollbackLedgerSpec,
    signal: AbortSignal,
  ): Promise<void>;
}

/** `namespace/name`: how watches call the Deployment of a policy. */
export function watchedName({ namespace, name }: Pick<SignalTarget, "namespace" | "name">): string {
  return `${namespace}/${name}`;
}
