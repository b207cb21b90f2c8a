import type { Right } from "../../actions/action.ts";
import { boundedWarnings } from "../../actions/warnings.ts";
import { isForbidden } from "../../kube/errors.ts";
import { missingRights } from "../../kube/missing-rights.ts";
import type { RequestPorts } from "./ports.ts";
import { stepChecks } from "./resolve.ts";
import { restoredBy } from "./restored.ts";
import { accountOf, type ResolvedSituation } from "./running.ts";
import type { RequestPlan } from "./situation.ts";

/**
 * A check that cannot be made must not stand in the way of a rollback; but it is better known before than after.
 * `asked` are rights whose lack is a refusal anyway. Throws KubeError.
 */
export async function warningOfChecks(
  ports: RequestPorts,
  situation: ResolvedSituation,
  asked: readonly Right[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { resolution } = situation;
  const checks = [...resolution.verification.checks, ...stepChecks(resolution.written)];
  const wanted = ports.verifications.requiredRights(checks, restoredBy(resolution));
  const rights = unasked(wanted, asked);
  if (rights.length === 0) return undefined;
  const account = accountOf(situation);
  try {
    const lack = await missingRights(ports.client.as(account), account.namespace, rights, signal);
    if (lack === undefined) return undefined;
    return `unchecked: checks will be Inconclusive, as ServiceAccount ${account.namespace}/${account.name} ${lack}`;
  } catch (error) {
    // Then the plan is refused for that reason, in better words.
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** The plan with these warnings before all others. */
export function withWarnings(plan: RequestPlan, before: readonly string[]): RequestPlan {
  const [first, ...others] = plan.steps;
  if (before.length === 0 || first === undefined) return plan;
  const warnings = boundedWarnings([...before, ...first.warnings]);
  return { ...plan, steps: [{ ...first, warnings }, ...others] };
}

/** Each right once, without those that were asked for already. */
function unasked(rights: readonly Right[], asked: readonly Right[]): readonly Right[] {
  return rights.filter(
    (right, index) => ![...asked, ...rights.slice(0, index)].some((other) => isSame(other, right)),
  );
}

function isSame(a: Right, b: Right): boolean {
  return a.apiGroup === b.apiGroup && a.resource === b.resource && a.verb === b.verb && a.name === b.name;
}
