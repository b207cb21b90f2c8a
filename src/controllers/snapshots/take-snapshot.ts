import { contentDigest, contentOf } from "../../config-maps/content.ts";
import type { Place } from "../../config-maps/place.ts";
import { snapshotName } from "../../config-maps/snapshot.ts";
import { keepSnapshot } from "../../config-maps/snapshot-store.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isNotFound } from "../../kube/errors.ts";
import { configMapType } from "../../kube/well-known.ts";
import { forgetContents, recordContent, surplusContents } from "../ledger/contents.ts";
import { changeLedger } from "../ledger/ledger.ts";
import { mapTarget } from "./map-target.ts";

export interface Taken {
  /** Of the ConfigMap as it was read. */
  readonly resourceVersion: string;
  readonly ledger: RollbackLedgerSpec;
}

/**
 * Stores the live content of a ConfigMap as the executor, and writes into its ledger as the operator that it is live.
 * Undefined when there is no such ConfigMap. Safe to repeat. Throws KubeError.
 */
export async function takeSnapshot(
  client: KubeClient,
  place: Place,
  name: string,
  seen: { readonly at: number; readonly release: string | undefined },
): Promise<Taken | undefined> {
  const { executor, namespace, signal } = place;
  const map = await executor.tryGet(configMapType, { namespace, name }, { signal });
  if (map === undefined) return undefined;
  const content = contentOf(map);
  const kept = await keepSnapshot(place, name, content);
  if (kept.kind === "Gone") throw new TypeError(kept.message);
  const { release } = seen;
  const entry = {
    digest: contentDigest(name, content),
    since: new Date(seen.at).toISOString(),
    ...(release === undefined ? {} : { release }),
  };
  const change = (before: RollbackLedgerSpec) => recordContent(before, entry);
  const ledger = await changeLedger(client, mapTarget(namespace, name), change, signal);
  return { resourceVersion: map.metadata.resourceVersion, ledger };
}

/** Deletes the snapshots that are too many, then forgets them: whoever dies in between deletes them again. */
export async function pruneSnapshots(
  client: KubeClient,
  place: Place,
  name: string,
  ledger: RollbackLedgerSpec,
  bound: { readonly most: number; readonly used: ReadonlySet<string> },
): Promise<void> {
  const surplus = surplusContents(ledger.contents ?? [], bound.most, bound.used);
  if (surplus.length === 0) return;
  const { executor, namespace, signal } = place;
  for (const digest of surplus) {
    const key = { namespace, name: snapshotName(name, digest) };
    await executor.delete(configMapType, key, { signal }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
  const change = (before: RollbackLedgerSpec) => forgetContents(before, new Set(surplus));
  await changeLedger(client, mapTarget(namespace, name), change, signal);
}
