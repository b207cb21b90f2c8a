import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { ObjectKey } from "../../kube/objects.ts";
import { ROLLBACK_POLICIES, ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { readLedger } from "../ledger/ledger.ts";
import type { RequestPorts } from "./ports.ts";
import { resolve, type Resolution } from "./resolve.ts";
import type { Situation } from "./situation.ts";

/** The request and all that was recorded about it, read uncached; undefined when it is gone. Throws KubeError. */
export async function observe(
  ports: RequestPorts,
  key: ObjectKey,
  signal: AbortSignal,
): Promise<Situation | undefined> {
  const request = await ports.client.tryGet(ROLLBACK_REQUESTS, key, { signal });
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
  const ledger = target === undefined ? undefined : (await readLedger(ports.client, target, signal))?.spec;
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

function twinOf(request: RollbackRequest, resolution: Resolution, ledger: RollbackLedgerSpec | undefined) {
  if (resolution.kind === "Refused") return undefined;
  return ledger?.executed.find(
    ({ name, uid, specDigest }) =>
      name === request.metadata.name && uid !== request.metadata.uid && specDigest === resolution.specDigest,
  );
}
