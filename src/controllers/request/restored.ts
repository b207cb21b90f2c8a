import type { CheckedWorkload, Restored } from "../../checks/check.ts";
import { revisionOf } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { parseWorkloadTitle } from "../../workloads/workload.ts";
import { changedSteps } from "./journal.ts";
import type { Resolved } from "./resolve.ts";

/** The workloads that the steps put back. */
export function restoredBy({ steps }: Pick<Resolved, "steps">): readonly CheckedWorkload[] {
  return steps
    .filter(({ action }) => action.makesRelease)
    .map(({ action }) => parseWorkloadTitle(action.object, ""))
    .map(({ kind, name }) => ({ kind, name }));
}

/** The workloads that were put back by now, with what must run. */
export function restoredSoFar(request: RollbackRequest, resolution: Resolved): readonly Restored[] {
  const makers = new Set(
    resolution.steps.flatMap(({ action }) => (action.makesRelease ? [action.name] : [])),
  );
  return changedSteps(request).flatMap(({ planned, status }) => {
    const revision = revisionOf(status.after ?? planned.to);
    if (!makers.has(status.name) || revision === undefined) return [];
    const { kind, name } = parseWorkloadTitle(planned.object, "");
    return [{ kind, name, revision }];
  });
}
