import type { Decision } from "./decision.ts";
import { targetsOf } from "./ledgers.ts";
import type { RequestPorts } from "./ports.ts";
import { writeRunning } from "./running.ts";
import type { Situation } from "./situation.ts";
import { acceptedFacts } from "./status.ts";

/**
 * Shows the plan and lets others go first: a request that waits for a person holds no lock. Written only when the plan
 * or what is known of the approval has changed.
 */
export async function awaitApproval(
  ports: RequestPorts,
  situation: Situation,
  decision: Extract<Decision, { kind: "Wait" }>,
  signal: AbortSignal,
): Promise<void> {
  const { request, resolution, lock } = situation;
  const { namespace = "", name, uid } = request.metadata;
  // The plan may have become another one under the lock.
  if (lock?.kind === "Held") {
    await ports.locks.releaseAll(targetsOf(resolution), { namespace, name, uid }, signal);
  }
  const accepted = acceptedFacts(situation, ports.clock.now());
  const { waiting } = decision;
  const timeline = {
    ...accepted.timeline,
    ...(waiting === undefined ? {} : { planned: iso(waiting.since) }),
    ...(waiting === undefined || waiting.shownAt === waiting.since
      ? {}
      : { replanned: iso(waiting.shownAt) }),
  };
  await writeRunning(ports, situation, { ...accepted, timeline }, decision, signal);
  tell(ports, situation, decision);
}

/** Once when it begins to wait, and again with another plan. */
function tell(
  ports: RequestPorts,
  { request, plan }: Situation,
  { message }: Extract<Decision, { kind: "Wait" }>,
): void {
  const { phase, plan: shown } = request.status ?? {};
  const isAnother = plan?.kind === "Planned" && plan.plan.digest !== shown?.digest;
  if (phase === "AwaitingApproval" && !isAnother) return;
  ports.record({
    type: "Normal",
    reason: phase === "AwaitingApproval" ? "PlanReady" : "RollbackProposed",
    action: "Plan",
    note: message,
    regarding: request,
  });
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
