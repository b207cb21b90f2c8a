import type { PlanResult, Right, StepRight } from "../../actions/action.ts";
import type { KubeClient } from "../../kube/client.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { missingRights } from "../../kube/missing-rights.ts";
import { serviceAccountType } from "../../kube/well-known.ts";

type ExecutorCheck =
  | { readonly kind: "Able" }
  | { readonly kind: "Refused"; readonly reason: "AccessDenied"; readonly message: string };

/**
 * The plan, unless the executor lacks a right. Beside the planning only those are asked for that it does not use itself;
 * where nothing could be planned all are, since the right that is missing says most. Throws KubeError.
 */
export async function plannedBy<Plan>(
  client: KubeClient,
  account: { readonly namespace: string; readonly name: string },
  rights: readonly StepRight[],
  planning: Promise<PlanResult<Plan>>,
  signal: AbortSignal,
): Promise<PlanResult<Plan>> {
  const unproven = rights.filter(({ usedByPlan }) => usedByPlan !== true);
  const [able, plan] = await Promise.all([
    checkExecutor(client, account, unproven, signal),
    planning.catch(refusedIfForbidden<Plan>),
  ]);
  if (plan.kind === "Planned") return able.kind === "Refused" ? able : plan;
  const ableAtAll = await checkExecutor(client, account, rights, signal);
  return ableAtAll.kind === "Refused" ? ableAtAll : plan;
}

/** Without a right the plan cannot be made; which right it is, the review of rights says better. */
function refusedIfForbidden<Plan>(error: unknown): PlanResult<Plan> {
  if (!isForbidden(error)) throw error;
  return { kind: "Refused", reason: "AccessDenied", message: errorMessage(error) };
}

/**
 * Whether the executor exists (impersonating a deleted account works, so it must be asked) and has every right.
 * Asked as the executor itself. Throws KubeError.
 */
export async function checkExecutor(
  client: KubeClient,
  account: { readonly namespace: string; readonly name: string },
  rights: readonly Right[],
  signal: AbortSignal,
): Promise<ExecutorCheck> {
  const title = `ServiceAccount ${account.namespace}/${account.name}`;
  try {
    const [found, lack] = await Promise.all([
      client.tryGet(serviceAccountType, account, { signal }),
      missingRights(client.as(account), account.namespace, rights, signal),
    ]);
    if (found === undefined)
      return denied(`${title} does not exist: create it and bind the executor Role to it`);
    return lack === undefined ? { kind: "Able" } : denied(`${title} ${lack}`);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return denied(
      `the operator may not act as ${title}: only accounts named rollback-executor can be used unless an admin binds more (${errorMessage(error)})`,
    );
  }
}

function denied(message: string): ExecutorCheck {
  return { kind: "Refused", reason: "AccessDenied", message };
}
