import { isDeepStrictEqual } from "node:util";
import type { Right } from "../../actions/action.ts";
import { cutText } from "../../kube/conditions.ts";
import { isForbidden } from "../../kube/errors.ts";
import { missingRights } from "./executor.ts";
import { restoredBy } from "./restored.ts";
import type { RequestPorts } from "./ports.ts";
import type { ResolvedSituation } from "./running.ts";
import type { RequestPlan } from "./situation.ts";

/** Bounds of a plan's warnings, as the schema has them. */
const MOST_WARNINGS = 32;
const LONGEST_WARNING = 1_024;

/**
 * A check that cannot be made must not stand in the way of a rollback; but it is better known before than after.
 * `asked` are rights whose lack is a refusal anyway. Throws KubeError.
 */
export async function warningOfChecks(
  ports: RequestPorts,
  { request, resolution }: ResolvedSituation,
  asked: readonly Right[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { serviceAccountName } = resolution;
  const { namespace = "" } = request.metadata;
  const between = (request.spec.steps ?? []).flatMap(({ check }) => check?.checks ?? []);
  const checks = [...resolution.verification.checks, ...between];
  const wanted = ports.verifications.requiredRights(checks, restoredBy(resolution));
  const rights = unasked(wanted, asked);
  if (rights.length === 0) return undefined;
  const account = { namespace, name: serviceAccountName };
  try {
    const lack = await missingRights(ports.client.as(account), namespace, rights, signal);
    if (lack === undefined) return undefined;
    return `unchecked: checks will be Inconclusive, as ServiceAccount ${namespace}/${serviceAccountName} ${lack}`;
  } catch (error) {
    // Then the plan is refused for that reason, in better words.
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** The plan with a warning before all others. */
export function withWarning(plan: RequestPlan, warning: string | undefined): RequestPlan {
  const [first, ...others] = plan.steps;
  if (warning === undefined || first === undefined) return plan;
  const warnings = [cutText(warning, LONGEST_WARNING), ...first.warnings].slice(0, MOST_WARNINGS);
  return { ...plan, steps: [{ ...first, warnings }, ...others] };
}

/** Each right once, without those that were asked for already. */
function unasked(rights: readonly Right[], asked: readonly Right[]): readonly Right[] {
  return rights.filter(
    (right, index) => ![...asked, ...rights.slice(0, index)].some((other) => isDeepStrictEqual(other, right)),
  );
}
