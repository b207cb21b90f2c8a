import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import {
  byHash,
  changeLedger,
  ledgerKey,
  readLedger,
  targetHash,
  type LedgerChange,
} from "../ledger/ledger.ts";
import type { RequestPorts } from "./ports.ts";
import type { Resolution } from "./resolve.ts";
import type { Ledgers, Situation } from "./situation.ts";

/** Everything that the steps write; of a refused request only what is known. */
export function targetsOf(resolution: Resolution): readonly TargetKey[] {
  if (resolution.kind === "Resolved") return resolution.steps.flatMap(({ targets }) => targets);
  return resolution.target === undefined ? [] : [resolution.target];
}

/** The target of the policy that a request belongs to: its ledger holds the decision that made an automatic one. */
export function decidedOn(resolution: Resolution): TargetKey | undefined {
  if (resolution.kind === "Refused") return resolution.target;
  const { policyTarget, target } = resolution;
  if (policyTarget === undefined) return target;
  const { kind, name } = policyTarget;
  return { group: "apps", kind, namespace: target.namespace, name };
}

/** Everything whose ledgers tell about the request. */
export function ledgerTargets(resolution: Resolution): readonly TargetKey[] {
  const decided = decidedOn(resolution);
  return [...targetsOf(resolution), ...(decided === undefined ? [] : [decided])];
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

/**
 * Makes one change to the ledgers of all targets, and to that of the decision which made the request. Returns all
 * ledgers as they are known now. Throws KubeError; safe to repeat.
 */
export async function changeLedgers(
  ports: Pick<RequestPorts, "client" | "cachedLedger">,
  { resolution, automatic, ledgers }: Pick<Situation, "resolution" | "automatic" | "ledgers">,
  change: LedgerChange,
  signal: AbortSignal,
): Promise<Ledgers> {
  const targets = automatic === undefined ? targetsOf(resolution) : ledgerTargets(resolution);
  const entries = [...byHash(targets).values()].map((target) => changed(ports, target, change, signal));
  return new Map([...ledgers, ...(await Promise.all(entries))]);
}

/** Changes the ledger of one target. Returns all ledgers as they are known now. Throws KubeError. */
export async function changeLedgerOf(
  ports: Pick<RequestPorts, "client" | "cachedLedger">,
  ledgers: Ledgers,
  target: TargetKey,
  change: LedgerChange,
  signal: AbortSignal,
): Promise<Ledgers> {
  return new Map([...ledgers, await changed(ports, target, change, signal)]);
}

async function changed(
  { client, cachedLedger }: Pick<RequestPorts, "client" | "cachedLedger">,
  target: TargetKey,
  change: LedgerChange,
  signal: AbortSignal,
) {
  const ledger = await changeLedger(client, target, change, signal, cachedLedger(ledgerKey(target)));
  return [targetHash(target), ledger] as const;
}
