import type { ReconcileResult } from "../../kube/controller.ts";
import { isConflict } from "../../kube/errors.ts";
import { parseKey } from "../../kube/objects.ts";
import { awaitApproval } from "./await-approval.ts";
import { advance } from "./advance.ts";
import { compensate } from "./compensate.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { completeStep, failStep, skipStep } from "./end-step.ts";
import { cleanUp, finish, releaseIfEnded } from "./finish.ts";
import { hold } from "./hold.ts";
import { observe } from "./observe.ts";
import type { RequestPorts } from "./ports.ts";
import { makePlan, replan } from "./make-plan.ts";
import { announce, beginStep, takeLock } from "./prepare.ts";
import { verify } from "./prove.ts";
import { writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { acceptedFacts } from "./status.ts";
import { apply, look, recordProduct } from "./step.ts";

/** More turns than a request of 20 steps, all undone, can take in one pass; a loop beyond it is a defect and must show. */
const MAX_TURNS = 300;

/** After losing a write to another writer: look again soon. */
const AFTER_CONFLICT_MS = 20;

/** One pass over one request: observe, decide, act, until it has to wait or has ended. */
export async function reconcileRequest(
  ports: RequestPorts,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  let situation = await observe(ports, parseKey(key), signal);
  if (situation === undefined) return { done: true };
  try {
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const decision = decide(situation, ports.clock.now());
      const next = await perform(ports, situation, decision, signal);
      if ("result" in next) return next.result;
      situation = next.situation;
    }
  } catch (error) {
    if (!isConflict(error)) throw error;
    await releaseIfEnded(ports, situation, signal);
    return { afterMs: AFTER_CONFLICT_MS };
  }
  throw new Error(`RollbackRequest ${key} does not come to rest`);
}

type Next = { readonly situation: Situation } | { readonly result: ReconcileResult };

async function perform(
  ports: RequestPorts,
  situation: Situation,
  decision: Decision,
  signal: AbortSignal,
): Promise<Next> {
  switch (decision.kind) {
    case "Rest":
      return { result: { done: true } };
    case "CleanUp":
      await cleanUp(ports, situation, signal);
      return { result: { done: true } };
    case "Finish":
      await finish(ports, situation, decision.ending, signal);
      return { result: { done: true } };
    case "Wait":
      await rest(ports, situation, decision, signal);
      return { result: { afterMs: decision.afterMs } };
    case "Plan":
    case "TakeLock":
    case "Announce":
    case "Replan":
    case "BeginStep":
    case "SkipStep":
    case "Hold":
    case "Apply":
    case "Observe":
    case "Advance":
    case "Record":
    case "CompleteStep":
    case "FailStep":
    case "Compensate":
    case "Verify":
      return { situation: await performStep(ports, resolved(situation), decision, signal) };
  }
}

/** From the moment a request waits, what it was accepted with must not change any more. */
async function rest(
  ports: RequestPorts,
  situation: Situation,
  decision: Extract<Decision, { kind: "Wait" }>,
  signal: AbortSignal,
): Promise<void> {
  switch (decision.phase) {
    case "AwaitingApproval":
      return awaitApproval(ports, situation, decision, signal);
    case "Pending":
    case "Planning":
      await writeRunning(ports, situation, acceptedFacts(situation, ports.clock.now()), decision, signal);
      return;
    case "Applying":
    case "Verifying":
      await writeRunning(ports, situation, {}, decision, signal);
  }
}

type StepDecision = Exclude<Decision, { readonly kind: "Rest" | "CleanUp" | "Finish" | "Wait" }>;

function performStep(
  ports: RequestPorts,
  situation: ResolvedSituation,
  decision: StepDecision,
  signal: AbortSignal,
): Promise<Situation> {
  switch (decision.kind) {
    case "Plan":
      return makePlan(ports, situation, signal);
    case "TakeLock":
      return takeLock(ports, situation, signal);
    case "Announce":
      return announce(ports, situation, decision, signal);
    case "Replan":
      return replan(ports, situation, signal);
    case "BeginStep":
      return beginStep(ports, situation, decision.planned, signal);
    case "SkipStep":
      return skipStep(ports, situation, decision, signal);
    case "Hold":
      return hold(ports, situation, signal);
    case "Apply":
      return apply(ports, situation, signal);
    case "Observe":
      return look(ports, situation, signal);
    case "Advance":
      return advance(ports, situation, decision.progress, signal);
    case "Record":
      return recordProduct(ports, situation, decision.after, signal);
    case "CompleteStep":
      return completeStep(ports, situation, decision.progress.message, signal);
    case "FailStep":
      return failStep(ports, situation, decision, signal);
    case "Compensate":
      return compensate(ports, situation, decision, signal);
    case "Verify":
      return verify(ports, situation, signal);
  }
}

/** Decisions that act are only made on requests that resolved; `decide` sees to that. */
function resolved(situation: Situation): ResolvedSituation {
  const { resolution } = situation;
  if (resolution.kind === "Refused")
    throw new TypeError(`a refused request cannot act: ${resolution.message}`);
  return { ...situation, resolution };
}
