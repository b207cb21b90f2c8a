import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound } from "../../kube/errors.ts";
import { ROLLBACK_LEDGERS, type RollbackLedger } from "../../kube/rollback-kinds.ts";

/** How often a change is made again on top of somebody else's before it is given up. */
const MAX_TRIES = 8;

/** Name of a target's ledger and lock: DNS-safe, equal for equal targets, too long to collide. */
export function targetHash(target: TargetKey): string {
  const text = [target.group, target.kind, target.namespace, target.name].join("/");
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** Each target once, by its hash. */
export function byHash(targets: readonly TargetKey[]): ReadonlyMap<string, TargetKey> {
  return new Map(targets.map((target) => [targetHash(target), target]));
}

/** Of the operator's cache, by `namespace/name`: it may be behind. */
export type CachedLedger = (key: string) => RollbackLedger | undefined;

/** The key of a target's ledger in a cache. */
export function ledgerKey(target: TargetKey): string {
  return `${target.namespace}/${targetHash(target)}`;
}

/** A target's ledger as it is stored now; undefined when nothing was ever recorded. */
export async function readLedger(
  client: KubeClient,
  target: TargetKey,
  signal: AbortSignal,
): Promise<RollbackLedger | undefined> {
  return client.tryGet(
    ROLLBACK_LEDGERS,
    { namespace: target.namespace, name: targetHash(target) },
    { signal },
  );
}

/** A change of a ledger: pure, may be called several times. Returning the same object writes nothing. */
export type LedgerChange = (ledger: RollbackLedgerSpec) => RollbackLedgerSpec;

/**
 * Changes a target's ledger by compare-and-set, creating it if need be. A `cached` one saves the read: when it is not
 * the newest, the server refuses the write, and the ledger is read after all. Throws KubeError; isConflict when others
 * kept changing it.
 */
export async function changeLedger(
  client: KubeClient,
  target: TargetKey,
  change: LedgerChange,
  signal: AbortSignal,
  cached?: RollbackLedger,
): Promise<RollbackLedgerSpec> {
  const changed = cached === undefined ? undefined : await changeCached(client, cached, change, signal);
  if (changed !== undefined) return changed;
  for (let tries = 1; ; tries += 1) {
    try {
      return await changeOnce(client, target, change, signal);
    } catch (error) {
      if (tries >= MAX_TRIES || !(isConflict(error) || isAlreadyExists(error))) throw error;
      await delay(5 * tries, undefined, { signal });
    }
  }
}

/** Undefined when the cached one is not the newest, or seems to need no change: only a write proves that it is. */
async function changeCached(
  client: KubeClient,
  cached: RollbackLedger,
  change: LedgerChange,
  signal: AbortSignal,
): Promise<RollbackLedgerSpec | undefined> {
  const after = change(cached.spec);
  if (after === cached.spec) return undefined;
  try {
    await client.replace(ROLLBACK_LEDGERS, { ...cached, spec: after }, { signal });
    return after;
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error;
    return undefined;
  }
}

async function changeOnce(
  client: KubeClient,
  target: TargetKey,
  change: LedgerChange,
  signal: AbortSignal,
): Promise<RollbackLedgerSpec> {
  const stored = await readLedger(client, target, signal);
  const before = stored?.spec ?? emptyLedger(target);
  const after = change(before);
  if (after === before) return before;
  if (stored !== undefined) {
    await client.replace(ROLLBACK_LEDGERS, { ...stored, spec: after }, { signal });
  } else {
    const metadata = { namespace: target.namespace, name: targetHash(target) };
    try {
      await client.create(ROLLBACK_LEDGERS, { metadata, spec: after }, { signal });
    } catch (error) {
      // The namespace takes its ledgers along: there will be nothing to remember, and requests in it must be let go.
      if (!isNamespaceTerminating(error)) throw error;
    }
  }
  return after;
}

/** Whether the namespace is being deleted, by what a write into it would be told. Throws KubeError. */
export async function isNamespaceGoing(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<boolean> {
  const target = { group: "", kind: "Namespace", namespace, name: namespace };
  const ledger = { metadata: { namespace, name: targetHash(target) }, spec: emptyLedger(target) };
  try {
    await client.create(ROLLBACK_LEDGERS, ledger, { signal, dryRun: true });
    return false;
  } catch (error) {
    if (isNotFound(error) || isNamespaceTerminating(error)) return true;
    throw error;
  }
}

export function emptyLedger(target: TargetKey): RollbackLedgerSpec {
  return { target: { ...target }, releases: [], knownGood: [], marks: [], executed: [], automatic: [] };
}
