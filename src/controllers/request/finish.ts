import type { LedgerAutomatic, LedgerExecuted } from "../../crds/rollback-ledger.ts";
import type { Phase } from "../../crds/rollback-request.ts";
import { isNotFound } from "../../kube/errors.ts";
import { removeFinalizer } from "../../kube/finalizers.ts";
import { objectKey } from "../../kube/objects.ts";
import { ROLLBACK_REQUESTS, type RollbackRequest } from "../../kube/rollback-kinds.ts";
import { writeStatus } from "../../kube/status-writer.ts";
import { recordAnswer } from "../ledger/automatic.ts";
import { recordOutcome } from "../ledger/changes.ts";
import { settleDue } from "../ledger/due.ts";
import { restoreFromJournal } from "../ledger/restore.ts";
import type { Ending } from "./decision.ts";
import { journalOf } from "./journal.ts";
import { rememberedHolds } from "./holds.ts";
import { changeLedgers, ledgerOf, targetsOf } from "./ledgers.ts";
import { FINALIZER, hasOpenHolds, isFinished } from "./phase.ts";
import type { FinishedStep, RequestPorts } from "./ports.ts";
import type { Situation } from "./situation.ts";
import { acceptedFacts, checkFacts, finalStatus, stepFacts, timelineFacts } from "./status.ts";
import { endText } from "./wording.ts";

/** Ends a request: its status first, then what it held. A crash in between is made good by `cleanUp`. */
export async function finish(
  ports: RequestPorts,
  situation: Situation,
  ending: Ending,
  signal: AbortSignal,
): Promise<void> {
  const now = ports.clock.now();
  const { request, automatic } = situation;
  const answer = answerOf(ending.phase);
  // First, since nothing comes back to it: a request that waits holds no finalizer.
  if (automatic !== undefined && answer !== undefined && journalOf(request).kind === "NotStarted") {
    await changeLedgers(ports, situation, (ledger) => recordAnswer(ledger, automatic, answer), signal);
  }
  const status = finalStatus(request, finalFacts(situation, ending, now), ending, now);
  const finished = await writeStatus(ports.client, ROLLBACK_REQUESTS, request, status, { signal });
  report(ports, { ...situation, request: finished }, ending);
  await cleanUp(ports, { ...situation, request: finished }, signal);
}

/** Records the outcome, gives the lock back, and last lets the object go. Safe to repeat. */
export async function cleanUp(ports: RequestPorts, situation: Situation, signal: AbortSignal): Promise<void> {
  const { request, resolution } = situation;
  const { namespace = "", name, uid } = request.metadata;
  ports.verifications.forget(uid);
  // A deletion waits for the end of the holds: without the record nobody could end them.
  const patch = hasOpenHolds(request) ? undefined : removeFinalizer(request, FINALIZER);
  const reason = request.status?.conditions?.find(({ type }) => type === "Ready")?.reason ?? "";
  await changeLedgers(
    ports,
    situation,
    (ledger) =>
      settleDue(
        recordOutcome(restoreFromJournal(ledger, request), uid, outcomeOf(request.status?.phase), reason),
        request,
      ),
    signal,
  );
  await ports.locks.releaseAll(targetsOf(resolution), { namespace, name, uid }, signal);
  if (patch === undefined) return;
  try {
    await ports.client.patch(ROLLBACK_REQUESTS, objectKey(request), patch, { signal });
  } catch (error) {
    // Gone, or changed: the next pass sees the newer object.
    if (!isNotFound(error)) throw error;
  }
}

/**
 * Gives back what this pass locked for a request that another writer, such as a second leader, has ended meanwhile: that
 * one released the locks before we took them. While the request runs they are its own, whoever took them.
 */
export async function releaseIfEnded(
  ports: RequestPorts,
  { request, resolution, lock }: Situation,
  signal: AbortSignal,
): Promise<void> {
  if (lock?.kind !== "Held") return;
  const { namespace = "", name, uid } = request.metadata;
  const now = await ports.client.tryGet(ROLLBACK_REQUESTS, objectKey(request), { signal });
  if (now !== undefined && now.metadata.uid === uid && !isFinished(now)) return;
  await ports.locks.releaseAll(targetsOf(resolution), { namespace, name, uid }, signal);
}

function finalFacts(situation: Situation, ending: Ending, now: number) {
  const { request, verification } = situation;
  const at = new Date(now).toISOString();
  const journal = journalOf(request);
  const started = journal.kind !== "NotStarted";
  const holds = rememberedHolds(request, ledgerOf(situation.ledgers, situation.resolution.target));
  return {
    ...(holds === undefined ? {} : { holds: [...holds] }),
    // A plan that was made and not run, as of a dry run, is shown with the rest.
    ...(started ? {} : acceptedFacts(situation, now)),
    ...(journal.kind === "InStep"
      ? stepFacts(request, journal.step.index, {
          ...endedStep(ending),
          finishedAt: at,
          message: ending.message,
        })
      : {}),
    ...(verification === undefined ? {} : checkFacts(verification.checks)),
    ...(ending.verified === undefined || !started ? {} : timelineFacts(request, { verified: at })),
  };
}

function endedStep(ending: Ending): { readonly state: "Failed" | "Superseded" } {
  return { state: ending.reason === "Superseded" ? "Superseded" : "Failed" };
}

function answerOf(phase: Phase): LedgerAutomatic["answer"] {
  return phase === "Denied" || phase === "Expired" || phase === "Aborted" ? phase : undefined;
}

function outcomeOf(phase: Phase | undefined): LedgerExecuted["outcome"] {
  switch (phase) {
    case "Succeeded":
    case "Failed":
    case "Compensated":
    case "Superseded":
    case "Denied":
    case "Expired":
    case "Aborted":
      return phase;
    default:
      return "Started";
  }
}

function report(ports: RequestPorts, { request, automatic }: Situation, ending: Ending): void {
  ports.record({
    type: ending.phase === "Succeeded" || ending.phase === "Denied" ? "Normal" : "Warning",
    reason: eventReason(ending),
    action: "Rollback",
    note: ending.message,
    regarding: request,
  });
  const { status } = request;
  ports.observer.finished({
    request: `${request.metadata.namespace}/${request.metadata.name}`,
    uid: request.metadata.uid,
    trigger: automatic === undefined ? "person" : "automatic",
    result: ending.phase,
    reason: ending.reason,
    message: ending.message,
    why: request.spec.reason,
    recoverySeconds: secondsBetween(status?.timeline?.breached, status?.timeline?.verified),
    steps: finishedSteps(request),
  });
}

function finishedSteps({ metadata, status }: RollbackRequest): readonly FinishedStep[] {
  return (status?.steps ?? []).flatMap((step, index) => {
    const planned = status?.plan?.steps[index];
    // A check is no rollback of anything.
    if (planned?.objectUid === undefined || step.startedAt === undefined) return [];
    return [
      {
        name: step.name,
        action: planned.action,
        object: `${metadata.namespace}/${planned.object.slice(planned.object.indexOf("/") + 1)}`,
        state: step.state,
        from: planned.from === undefined ? "" : endText(planned.from),
        to: planned.to === undefined ? "" : endText(planned.to),
        seconds: secondsBetween(step.startedAt, step.finishedAt),
      },
    ];
  });
}

function eventReason({ phase, reason, verified, message }: Ending): string {
  if (phase === "Succeeded" && verified?.status === "True") return "Verified";
  if (reason === "VerificationFailed") return "VerificationFailed";
  switch (phase) {
    case "Succeeded":
      return reason;
    case "Compensated":
    case "Aborted":
    case "Denied":
    case "Expired":
    case "Superseded":
      return phase;
    case "Failed":
      break;
  }
  return message.startsWith("refused") ? "Refused" : "StepFailed";
}

function secondsBetween(from: string | undefined, to: string | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : (Date.parse(to) - Date.parse(from)) / 1_000;
}
