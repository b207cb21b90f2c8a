import type { ApplyContext } from "../../actions/action.ts";
import type { RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { ROLLBACK_REQUESTS } from "../../kube/rollback-kinds.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import { journalOf, originOf } from "./journal.ts";
import type { RequestPorts } from "./ports.ts";
import type { ResolvedStep } from "./resolve-steps.ts";
import type { Resolved } from "./resolve.ts";
import { restoredSoFar } from "./restored.ts";
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

/** What the stored status says that the request is doing. */
export function activityOf(request: RollbackRequest): Activity {
  const ready = request.status?.conditions?.find(({ type }) => type === "Ready");
  return {
    phase: request.status?.phase ?? "Applying",
    reason: ready?.reason ?? "Applying",
    message: ready?.message ?? "",
  };
}

/** The ServiceAccount that the request acts as. */
export function accountOf({ request, resolution }: ResolvedSituation): {
  readonly namespace: string;
  readonly name: string;
} {
  return { namespace: request.metadata.namespace ?? "", name: resolution.serviceAccountName };
}

/** The step of the spec, also for one that takes it back. Throws TypeError for a step that the spec does not have. */
export function resolvedStep({ request, resolution }: ResolvedSituation, index: number): ResolvedStep {
  const step = resolution.steps[originOf(request, index)];
  if (step === undefined) throw new TypeError(`step ${index} is not in the spec`);
  return step;
}

/** What an action needs to act or to look; `appliedAt` as the journal has it. */
export function applyContext(
  ports: RequestPorts,
  situation: ResolvedSituation,
  appliedAt: string | undefined,
  signal: AbortSignal,
): ApplyContext {
  const { request, resolution } = situation;
  const account = accountOf(situation);
  return {
    executor: ports.client.as(account),
    namespace: account.namespace,
    signal,
    now: ports.clock.now(),
    appliedAt: appliedAt === undefined ? undefined : Date.parse(appliedAt),
    soak: {
      key: `${request.metadata.uid}/${journalKey(request)}`,
      restored: restoredSoFar(request, resolution),
      signals: resolution.signals,
    },
  };
}

/** The open step's name; a soak is only ever looked at while its step is open. */
function journalKey(request: RollbackRequest): string {
  const journal = journalOf(request);
  return journal.kind === "InStep" ? journal.step.status.name : "";
}
