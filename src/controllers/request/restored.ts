import type { CheckedWorkload, Restored } from "../../checks/check.ts";
import { revisionOf } from "../../crds/rollback-request.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { parseWorkloadTitle } from "../../workloads/workload.ts";
import { changedSteps } from "./journal.ts";
import type { Resolved } from "./resolve.ts";

/** The workloads that the steps put back or restart. */
export function restoredBy({ steps }: Pick<Resolved, "steps">): readonly CheckedWorkload[] {
  const titles = new Set(steps.flatMap(({ action }) => (action.changesTemplate ? [action.object] : [])));
  return [...titles].map((title) => {
    const { kind, name } = parseWorkloadTitle(title, "");
    return { kind, name };
  });
}

/** The workloads that were put back or restarted by now, with what the last step on each of them left. */
export function restoredSoFar(request: RollbackRequest, resolution: Resolved): readonly Restored[] {
  const makers = new Set(
    resolution.steps.flatMap(({ action }) => (action.changesTemplate ? [action.name] : [])),
  );
  const restored = new Map<string, Restored>();
  for (const { planned, status } of changedSteps(request)) {
    const revision = revisionOf(status.after ?? planned.to);
    if (!makers.has(status.name) || revision === undefined) continue;
    const { kind, name } = parseWorkloadTitle(planned.object, "");
    restored.set(planned.object, { kind, name, revision });
  }
  return [...restored.values()];
}
