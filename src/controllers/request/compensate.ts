import type { StepStatus } from "../../crds/rollback-request.ts";
import { cutText } from "../../kube/conditions.ts";
import type { Decision } from "./decision.ts";
import { openStep } from "./journal.ts";
import type { RequestPorts } from "./ports.ts";
import { writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { progressOf, stepFacts, type Activity } from "./status.ts";
import { stepNames, stepPrefix } from "./wording.ts";

/** What the schema allows for the reason of a compensation. */
const LONGEST_MESSAGE = 2_048;

/**
 * Writes down the failure and all that will be undone, at once: whoever reads the journal after a crash knows both or
 * neither. Nothing is undone yet.
 */
export async function compensate(
  ports: RequestPorts,
  situation: ResolvedSituation,
  { state, failure, undos }: Extract<Decision, { kind: "Compensate" }>,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index } = openStep(request);
  const at = new Date(ports.clock.now()).toISOString();
  const { steps: ended = [] } = stepFacts(request, index, {
    state,
    finishedAt: at,
    message: failure.message,
  });
  const message = cutText(`${stepPrefix(request, index)}${failure.message}`, LONGEST_MESSAGE);
  const appended = undos.map(({ undoes, planned }): StepStatus => ({
    name: planned.name,
    state: "Pending",
    undoes,
  }));
  const steps = [...ended, ...appended];
  const plan = request.status?.plan;
  const facts = {
    steps,
    progress: progressOf(steps),
    ...(plan === undefined
      ? {}
      : { plan: { ...plan, steps: [...plan.steps, ...undos.map(({ planned }) => planned)] } }),
    compensating: { reason: failure.reason, message, since: at },
  };
  const note = `${message}; undoing ${stepNames(undos.map(({ undoes }) => undoes))}`;
  const activity: Activity = { phase: "Applying", reason: "Compensating", message: note };
  // What is known of the failed step says nothing of the next one.
  const fresh = { ...situation, progress: undefined, replanned: undefined };
  const written = await writeRunning(ports, fresh, facts, activity, signal);
  ports.record({
    type: "Warning",
    reason: "StepFailed",
    action: "Rollback",
    note,
    regarding: request,
  });
  return written;
}
