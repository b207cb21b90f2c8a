import type { ConfigurationChange } from "../../decision/configuration.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { ledgerKey } from "../ledger/ledger.ts";
import { concernedMaps } from "../snapshots/concerned-maps.ts";
import { mapTarget } from "../snapshots/map-target.ts";
import type { PolicyPorts } from "./ports.ts";

/** What comes so soon after a request acted on a ConfigMap is its doing, ms. */
const OWN_MS = 300_000;

/** Changes of the configuration that the policy's workload uses or its plans put back, as far as they were seen. */
export function configurationChanges(
  { ledgers }: Pick<PolicyPorts, "ledgers">,
  policy: RollbackPolicy,
  deployment: Deployment,
): readonly ConfigurationChange[] {
  const { namespace = "" } = policy.metadata;
  return concernedMaps(policy, deployment).flatMap((name) => {
    const ledger = ledgers.get(ledgerKey(mapTarget(namespace, name)))?.spec;
    const at = ledger === undefined ? undefined : changedAt(ledger);
    return at === undefined ? [] : [{ configMap: name, at }];
  });
}

/** When it got the content that is live, unless that is known good, or was put there by a request. Pure. */
export function changedAt({ contents = [], executed }: RollbackLedgerSpec): number | undefined {
  const [before, live] = [contents.at(-2), contents.at(-1)];
  // The first content that was ever seen may have been there for long.
  if (before === undefined || live === undefined) return undefined;
  if (live.knownGood !== undefined || live.productOf !== undefined) return undefined;
  const at = Date.parse(live.since);
  const isOurs = executed.some((entry) => {
    const after = at - Date.parse(entry.at);
    return after >= 0 && after < OWN_MS;
  });
  return isOurs ? undefined : at;
}
