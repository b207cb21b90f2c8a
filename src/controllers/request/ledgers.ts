import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { byHash, changeLedger, readLedger, targetHash, type LedgerChange } from "../ledger/ledger.ts";
import type { RequestPorts } from "./ports.ts";
import type { Resolution } from "./resolve.ts";
import type { Ledgers } from "./situation.ts";

/** Everything that the steps write; of a refused request only what is known. */
export function targetsOf(resolution: Resolution): readonly TargetKey[] {
  if (resolution.kind === "Resolved") return resolution.steps.flatMap(({ targets }) => targets);
  return resolution.target === undefined ? [] : [resolution.target];
}

export function ledgerOf(ledgers: Ledgers, target: TargetKey | undefined): RollbackLedgerSpec | undefined {
  return target === undefined ? undefined : ledgers.get(targetHash(target));
}

/** The ledgers as they are stored now; those in `known` are not read again. Throws KubeError. */
export async function readLedgers(
  ports: Pick<RequestPorts, "client">,
  targets: readonly TargetKey[],
  known: Ledgers,
  signal: AbortSignal,
): Promise<Ledgers> {
  const entries = [...byHash(targets)].map(async ([hash, target]) => {
    const spec = known.has(hash) ? known.get(hash) : (await readLedger(ports.client, target, signal))?.spec;
    return [hash, spec] as const;
  });
  return new Map(await Promise.all(entries));
}

/** Makes one change to the ledgers of all targets. Throws KubeError; safe to repeat. */
export async function changeLedgers(
  ports: Pick<RequestPorts, "client">,
  resolution: Resolution,
  change: LedgerChange,
  signal: AbortSignal,
): Promise<Ledgers> {
  const entries = [...byHash(targetsOf(resolution))].map(
    async ([hash, target]) => [hash, await changeLedger(ports.client, target, change, signal)] as const,
  );
  return new Map(await Promise.all(entries));
}
