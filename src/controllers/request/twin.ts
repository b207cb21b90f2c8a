import type { TargetKey } from "../../actions/action.ts";
import type { LedgerExecuted, RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { KubeClient } from "../../kube/client.ts";
import { deploymentType } from "../../kube/well-known.ts";
import { REVISION } from "../../workloads/revisions.ts";

/** A request of the same name and spec that acted before. */
export interface Twin extends LedgerExecuted {
  /** What came after its success, so that repeating the success would be untrue. */
  readonly overtakenBy?: string;
}

/** The twin with what became of its product. Read uncached; throws KubeError. */
export async function followTwin(
  client: KubeClient,
  twin: LedgerExecuted,
  target: TargetKey,
  ledger: RollbackLedgerSpec | undefined,
  signal: AbortSignal,
): Promise<Twin> {
  if (twin.outcome !== "Succeeded") return twin;
  const product = ledger?.releases.findLast(({ rollbackBy }) => rollbackBy === twin.name);
  const overtake = (overtakenBy: string) => ({ ...twin, overtakenBy });
  if (product === undefined || target.kind !== "Deployment") {
    return overtake("whether what it restored is still live is not known");
  }
  const { namespace, name } = target;
  const live = await client.tryGet(deploymentType, { namespace, name }, { signal });
  if (live?.metadata.uid !== product.targetUid)
    return overtake(`${target.kind}/${name} is another object now`);
  const { generation = 1, annotations } = live.metadata;
  if ((live.status?.observedGeneration ?? 0) < generation)
    return overtake("another change is under way since");
  const revision = Number(annotations?.[REVISION]);
  return revision === product.revision ? twin : overtake(`since then revision ${revision} was released`);
}
