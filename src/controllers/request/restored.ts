import type { CheckedWorkload, Restored } from "../../checks/check.ts";
import { revisionOf } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { parseWorkloadTitle } from "../../workloads/workload.ts";
import type { Resolved } from "./resolve.ts";

/** The workloads that the steps put back or restart. */
export function restoredBy({ steps }: Pick<Resolved, "steps">): readonly CheckedWorkload[] {
  const titles = new Set(steps.flatMap(({ action }) => (action.changesTemplate ? [action.object] : [])));
  return [...titles].map((title) => {
    const { kind, name } = parseWorkloadTitle(title, "");
    return { kind, name };
  });
}

/**
 * The workloads that were put back or restarted by now, with what the last step on each of them left; a step that found
 * its work done left it as well.
 */
export function restoredSoFar({ status }: RollbackRequest, resolution: Resolved): readonly Restored[] {
  const restored = new Map<string, Restored>();
  for (const [index, { action }] of resolution.steps.entries()) {
    const [step, planned] = [status?.steps?.[index], status?.plan?.steps[index]];
    const isDone = step?.state === "Succeeded" || step?.state === "Skipped";
    const revision = revisionOf(step?.after ?? planned?.to);
    if (!isDone || !action.changesTemplate || revision === undefined) continue;
    const { kind, name } = parseWorkloadTitle(action.object, "");
    restored.set(action.object, { kind, name, revision });
  }
  return [...restored.values()];
}
