import type { PlanResult } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { RollbackRequestSpec } from "../../crds/rollback-request.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { targetHash } from "../ledger/ledger.ts";
import { plannedBy } from "./executor.ts";
import { decidedOn, ledgerTargets, readLedgers } from "./ledgers.ts";
import { holderOf } from "./holds.ts";
import { planSteps, type PlanPorts } from "./plan-steps.ts";
import type { RequestPorts } from "./ports.ts";
import { resolve } from "./resolve.ts";
import type { RequestPlan } from "./situation.ts";

/**
 * The very plan that an automatic request by this plan of the policy would make now, dry run included; nobody has to
 * have asked for it. `ledger` is that of the policy's target. Throws KubeError.
 */
export async function planOf(
  ports: PlanPorts & Pick<RequestPorts, "actions">,
  policy: RollbackPolicy,
  planName: string,
  ledger: RollbackLedgerSpec | undefined,
  signal: AbortSignal,
): Promise<PlanResult<RequestPlan>> {
  const { namespace = "", name } = policy.metadata;
  const spec = RollbackRequestSpec.parse({ policyRef: { name }, plan: planName });
  const request = { metadata: { namespace }, spec };
  const resolution = resolve({ request, policy, defaultExecutor: undefined, actions: ports.actions });
  if (resolution.kind === "Refused") {
    const { reason, message } = resolution;
    return { kind: "Refused", reason, message };
  }
  const { steps, serviceAccountName, allowedImages } = resolution;
  const account = { namespace, name: serviceAccountName };
  const decided = decidedOn(resolution);
  const known = new Map(decided === undefined ? [] : [[targetHash(decided), ledger]]);
  const ledgers = await readLedgers(ports, ledgerTargets(resolution), known, signal);
  const rights = steps.flatMap(({ action }) => action.rights);
  const holder = holderOf(resolution, { namespace, name: `policy ${name}` });
  const subject = { account, steps, ledgers, accepted: [], allowedImages, automatic: true, holder };
  const planning = planSteps(ports, { ...subject, expectedPodTemplateHash: undefined }, signal);
  return plannedBy(ports.client, account, rights, planning, signal);
}
