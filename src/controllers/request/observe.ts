import type { TargetKey } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { formatKey, type ObjectKey } from "../../kube/objects.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { readLedger, targetHash } from "../ledger/ledger.ts";
import type { RequestPorts } from "./ports.ts";
import { resolve, type Resolution } from "./resolve.ts";
import type { Situation } from "./situation.ts";

/** The request and all that was recorded about it, read uncached; undefined when it is gone. Throws KubeError. */
export async function observe(
  ports: RequestPorts,
  key: ObjectKey,
  signal: AbortSignal,
): Promise<Situation | undefined> {
  const [request, early] = await Promise.all([
    ports.client.tryGet(ROLLBACK_REQUESTS, key, { signal }),
    readNamedLedger(ports, key, signal),
  ]);
  if (request === undefined) return undefined;
  const { policyRef } = request.spec;
  const policy =
    policyRef === undefined
      ? undefined
      : await ports.client.tryGet(
          ROLLBACK_POLICIES,
          { namespace: key.namespace, name: policyRef.name },
          { signal },
        );
  const resolution = resolve({ request, policy, defaultExecutor: ports.defaultExecutor });
  const { target } = resolution;
  const ledger = await ledgerOf(ports, target, early, signal);
  return {
    request,
    resolution,
    ledger,
    automatic: ledger?.automatic.find((entry) => entry.request === key.name),
    twin: twinOf(request, resolution, ledger),
    killSwitch: ports.killSwitch(),
    plan: undefined,
    lock: undefined,
    progress: undefined,
    verification: undefined,
  };
}

interface EarlyLedger {
  readonly hash: string;
  readonly ledger: RollbackLedgerSpec | undefined;
}

/** A spec never changes, so where the cached one names the workload, its ledger can be read along with the request. */
async function readNamedLedger(
  ports: RequestPorts,
  key: ObjectKey,
  signal: AbortSignal,
): Promise<EarlyLedger | undefined> {
  const workload = ports.cached(formatKey(key))?.spec.steps?.[0]?.workload;
  if (workload?.name === undefined || workload.kind === undefined) return undefined;
  const target = { group: "apps", kind: workload.kind, namespace: key.namespace, name: workload.name };
  return { hash: targetHash(target), ledger: (await readLedger(ports.client, target, signal))?.spec };
}

async function ledgerOf(
  ports: RequestPorts,
  target: TargetKey | undefined,
  early: EarlyLedger | undefined,
  signal: AbortSignal,
): Promise<RollbackLedgerSpec | undefined> {
  if (target === undefined) return undefined;
  if (early?.hash === targetHash(target)) return early.ledger;
  return (await readLedger(ports.client, target, signal))?.spec;
}

/**
 * What this name and spec did already: as another object, or as this very one whose status somebody emptied. An entry
 * of its own that is only Started is no twin: a crash came between ledger and journal.
 */
function twinOf(request: RollbackRequest, resolution: Resolution, ledger: RollbackLedgerSpec | undefined) {
  if (resolution.kind === "Refused") return undefined;
  const { name, uid } = request.metadata;
  return ledger?.executed.find(
    (entry) =>
      entry.name === name &&
      entry.specDigest === resolution.specDigest &&
      (entry.uid !== uid || entry.outcome !== "Started"),
  );
}
