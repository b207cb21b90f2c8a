import type { WorkloadPlan } from "../../actions/workload/index.ts";
import type { RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import type { RequestPorts } from "./ports.ts";
import type { Resolved } from "./resolve.ts";
import type { Situation } from "./situation.ts";
import { runningStatus, type Activity } from "./status.ts";

/** A situation whose request resolved; everything after the first decision has one. */
export type ResolvedSituation = Situation & { readonly resolution: Resolved };

/** Writes what the request waits for, if that is news. */
export async function writeRunning(
  ports: RequestPorts,
  situation: Situation,
  facts: Omit<RollbackRequestStatus, "conditions" | "phase" | "observedGeneration">,
  activity: Activity,
  signal: AbortSignal,
): Promise<Situation> {
  const status = runningStatus(situation.request, facts, activity, ports.clock.now());
  const request = await writeStatus(ports.client, ROLLBACK_REQUESTS, situation.request, status, { signal });
  return { ...situation, request };
}

/** The plan as it was announced. Throws TypeError on a status that was edited by hand. */
export function plannedStep(request: RollbackRequest): WorkloadPlan {
  const plan = request.status?.plan?.steps[0];
  if (plan?.from === undefined || plan.to === undefined) {
    throw new TypeError(`RollbackRequest ${request.metadata.name} acts without a plan in its status`);
  }
  return { ...plan, from: plan.from, to: plan.to };
}

/** What the stored status says that the request is doing. */
export function activityOf(request: RollbackRequest): Activity {
  const ready = request.status?.conditions?.find(({ type }) => type === "Ready");
  return {
    phase: request.status?.phase ?? "Applying",
    reason: ready?.reason ?? "Applying",
    message: ready?.message ?? "",
  };
}
