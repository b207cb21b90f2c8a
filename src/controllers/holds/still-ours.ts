import type { ApplyContext } from "../../actions/action.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { changedSteps, originOf } from "../request/journal.ts";
import { resolve } from "../request/resolve.ts";
import type { HoldPorts } from "./ports.ts";

/** Whether what the request left is live still. */
export type StillOurs =
  | { readonly kind: "Yes" }
  | { readonly kind: "No"; readonly message: string }
  | { readonly kind: "Unreadable"; readonly message: string };

/**
 * Looks at what was changed, as the executor: a sync that a person asked for makes cluster and Git equal too, and undoes
 * the rollback. Throws KubeError.
 */
export async function stillOurs(
  ports: HoldPorts,
  request: RollbackRequest,
  signal: AbortSignal,
): Promise<StillOurs> {
  const { actions, client, clock } = ports;
  const resolution = resolve({ request, policy: undefined, defaultExecutor: undefined, actions });
  if (resolution.kind === "Refused") return { kind: "Unreadable", message: resolution.message };
  const { namespace = "" } = request.metadata;
  const executor = client.as({ namespace, name: resolution.serviceAccountName });
  // A later step on the same object changes what an earlier one left.
  const last = new Map(changedSteps(request).map((step) => [step.planned.object, step]));
  for (const { index, planned, status } of last.values()) {
    const action = resolution.steps[originOf(request, index)]?.action;
    if (action === undefined) continue;
    const appliedAt = status.appliedAt === undefined ? undefined : Date.parse(status.appliedAt);
    const context: ApplyContext = {
      executor,
      namespace,
      signal,
      now: clock.now(),
      appliedAt,
      soak: { key: request.metadata.uid, restored: [], signals: [] },
    };
    try {
      const progress = await action.observe(planned, context);
      if (progress.kind === "Superseded") return { kind: "No", message: progress.message };
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return { kind: "Unreadable", message: errorMessage(error) };
    }
  }
  return { kind: "Yes" };
}
