import type { StepEnd, StepStatus } from "../../crds/rollback-request.ts";
import type { Decision } from "./decision.ts";
import { isDone, openStep } from "./journal.ts";
import type { RequestPorts } from "./ports.ts";
import { writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { stepFacts, timelineFacts, type Activity } from "./status.ts";
import { beginHold } from "./temporary.ts";
import { backSentence, endText, failedSentence, stepPrefix } from "./wording.ts";

/** A step that came to a good end, its change complete. */
export async function completeStep(
  ports: RequestPorts,
  situation: ResolvedSituation,
  message: string,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index, planned, status } = openStep(request);
  const done = status.after === undefined ? planned.object : `${planned.object} ${endText(status.after)}`;
  ports.record({
    type: "Normal",
    reason: "StepSucceeded",
    action: "Rollback",
    note: `${stepPrefix(request, index)}${done}: ${message}`,
    regarding: request,
  });
  // Ledger first: a crash between the two writes repeats both.
  const ledgers = await beginHold(ports, situation, signal);
  return endStep(ports, { ...situation, ledgers }, { state: "Succeeded", message }, signal);
}

/** A step whose object is where it should be without an act of ours. */
export async function skipStep(
  ports: RequestPorts,
  situation: ResolvedSituation,
  { message, after }: { readonly message: string; readonly after?: StepEnd | undefined },
  signal: AbortSignal,
): Promise<Situation> {
  const end = after === undefined ? {} : { after };
  return endStep(ports, situation, { state: "Skipped", message, ...end }, signal);
}

/** A step that failed and does not end the request. */
export async function failStep(
  ports: RequestPorts,
  situation: ResolvedSituation,
  { state, failure: { message } }: Extract<Decision, { kind: "FailStep" }>,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index } = openStep(request);
  const ended = await endStep(ports, situation, { state, message }, signal);
  ports.record({
    type: "Warning",
    reason: "StepFailed",
    action: "Rollback",
    note: `${stepPrefix(request, index)}${message}`,
    regarding: request,
  });
  return { ...ended, progress: undefined };
}

async function endStep(
  ports: RequestPorts,
  situation: ResolvedSituation,
  end: Pick<StepStatus, "state" | "after"> & { readonly message: string },
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index } = openStep(request);
  const at = new Date(ports.clock.now()).toISOString();
  const facts = stepFacts(request, index, { ...end, finishedAt: at });
  const { steps = [], compensating } = request.status ?? {};
  if (steps[index + 1] !== undefined || compensating !== undefined) {
    const message = `${stepPrefix(request, index)}${endWords(end)}`;
    const reason = compensating === undefined ? "Applying" : "Compensating";
    const activity: Activity = { phase: "Applying", reason, message };
    // What is known of this step says nothing of the next one.
    const fresh = { ...situation, progress: undefined, replanned: undefined };
    return writeRunning(ports, fresh, facts, activity, signal);
  }
  const after: ResolvedSituation["request"] = { ...request, status: { ...request.status, ...facts } };
  const activity: Activity = {
    phase: "Verifying",
    reason: "Verifying",
    message: [failedSentence(after), `${backSentence(after)}; verification pending`]
      .filter((words) => words !== "")
      .join("; "),
  };
  const all = { ...facts, ...timelineFacts(request, { completed: at }) };
  // The look at one step does not tell how the objects of the others stand.
  const progress = index === 0 ? situation.progress : undefined;
  return writeRunning(ports, { ...situation, progress }, all, activity, signal);
}

function endWords({ state, message }: Pick<StepStatus, "state"> & { readonly message: string }): string {
  if (!isDone({ state })) return `failed: ${message}`;
  return state === "Skipped" ? `nothing to do: ${message}` : "done";
}
