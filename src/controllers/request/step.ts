import type { Advance, ApplyResult, Progress } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import { revisionOf, type PlannedStep, type StepEnd } from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden } from "../../kube/errors.ts";
import { recordRollback } from "../ledger/changes.ts";
import { recordContentRollback } from "../ledger/contents.ts";
import { formerNumber } from "../ledger/former-number.ts";
import { isUndo, journalOf, openStep, type OpenStep } from "./journal.ts";
import { changeLedgerOf } from "./ledgers.ts";
import type { RequestPorts } from "./ports.ts";
import { activityOf, applyContext, resolvedStep, writeRunning, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { stepFacts, timelineFacts } from "./status.ts";
import { endText, stayingChanges, stepPrefix, stepSentence } from "./wording.ts";

/** The one write to the object of the open step. */
export async function apply(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index, planned, status } = openStep(request);
  const { action } = resolvedStep(situation, index);
  const result = await unlessForbidden(
    action.apply(planned, applyContext(ports, situation, status.appliedAt, signal)),
    planned.object,
  );
  switch (result.kind) {
    case "Refused": {
      const changed = stayingChanges(request) !== "";
      const goesOn = request.spec.onFailure === "Continue";
      const message =
        changed || goesOn ? result.message : `${result.message}; nothing was changed by this request`;
      return { ...situation, progress: { kind: "Failed", reason: result.reason, message } };
    }
    case "Superseded":
    case "Unreadable":
      return { ...situation, progress: result };
    case "Preparing":
      return { ...situation, progress: { ...result, kind: "InProgress" } };
    case "Applied": {
      const now = ports.clock.now();
      // Checks between steps store nothing.
      const writes = planned.objectUid !== undefined;
      if (writes) reportAct(ports, situation, openStep(request));
      const at = new Date(now).toISOString();
      const facts = {
        ...stepFacts(request, index, { state: "Applied", appliedAt: at }),
        ...(writes ? timelineFacts(request, { applied: request.status?.timeline?.applied ?? at }) : {}),
      };
      return writeRunning(ports, situation, facts, activityOf(request), signal);
    }
  }
}

/** How the open step stands; when all are done, how everything that was changed stands. */
export async function look(
  ports: RequestPorts,
  situation: ResolvedSituation,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const journal = journalOf(request);
  if (journal.kind === "InStep") {
    const { index, planned, status } = journal.step;
    return {
      ...situation,
      progress: await lookAt(ports, situation, index, planned, status.appliedAt, signal),
    };
  }
  const looks = lastOfEachObject(request).map(({ index, planned, appliedAt }) =>
    lookAt(ports, situation, index, planned, appliedAt, signal),
  );
  const all = await Promise.all(looks);
  const progress = all.find(({ kind }) => kind === "Superseded") ?? all.at(-1);
  return { ...situation, progress: progress ?? { kind: "Done", message: "nothing was changed", after: {} } };
}

/** A later step on the same object changes what an earlier one left; what was undone is never looked at. */
function lastOfEachObject({ status }: ResolvedSituation["request"]) {
  const last = new Map<string, { index: number; planned: PlannedStep; appliedAt: string | undefined }>();
  for (const [index, step] of (status?.steps ?? []).entries()) {
    const planned = status?.plan?.steps[index];
    if (step.state !== "Succeeded" || planned?.objectUid === undefined) continue;
    last.set(planned.object, { index, planned, appliedAt: step.appliedAt });
  }
  return [...last.values()];
}

function lookAt(
  ports: RequestPorts,
  situation: ResolvedSituation,
  index: number,
  planned: PlannedStep,
  appliedAt: string | undefined,
  signal: AbortSignal,
): Promise<Progress> {
  const { action } = resolvedStep(situation, index);
  return unlessForbidden(
    action.observe(planned, applyContext(ports, situation, appliedAt, signal)),
    planned.object,
  );
}

/** An executor that lost its rights must not keep its request from ending, least of all when it is deleted. */
export async function unlessForbidden<T extends ApplyResult | Progress | Advance>(
  work: Promise<T>,
  object: string,
): Promise<T | Extract<Progress, { readonly kind: "Unreadable" }>> {
  try {
    return await work;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return {
      kind: "Unreadable",
      message: `the executor may not read ${object} any more: ${errorMessage(error)}`,
    };
  }
}

/** Ledger first: a crash between the two writes repeats both, and both are harmless to repeat. */
export async function recordProduct(
  ports: RequestPorts,
  situation: ResolvedSituation,
  after: StepEnd,
  signal: AbortSignal,
): Promise<Situation> {
  const { request } = situation;
  const { index, status } = openStep(request);
  const at = status.appliedAt ?? new Date(ports.clock.now()).toISOString();
  const ledgers = await recordWhatBecame(ports, situation, after, at, signal);
  const facts = stepFacts(request, index, {
    after,
    ...(status.appliedAt === undefined ? { appliedAt: at } : {}),
  });
  const recorded = await writeRunning(ports, situation, facts, activityOf(request), signal);
  return { ...recorded, ledgers };
}

/** In the ledger of the object: a release of a workload, or a content of a ConfigMap. */
async function recordWhatBecame(
  ports: RequestPorts,
  situation: ResolvedSituation,
  after: StepEnd,
  at: string,
  signal: AbortSignal,
): Promise<Situation["ledgers"]> {
  const { request, ledgers } = situation;
  const { index, planned } = openStep(request);
  const [target] = resolvedStep(situation, index).targets;
  const [from, to] = [planned.from?.contentDigest, after.contentDigest];
  if (target === undefined || from === undefined || to === undefined || after.key !== undefined) {
    return recordRelease(ports, situation, after, at, signal);
  }
  const rollback = { from, to, at, request: request.metadata.name };
  const change = (before: RollbackLedgerSpec) => recordContentRollback(before, rollback);
  return changeLedgerOf(ports, ledgers, target, change, signal);
}

async function recordRelease(
  ports: RequestPorts,
  situation: ResolvedSituation,
  after: StepEnd,
  at: string,
  signal: AbortSignal,
): Promise<Situation["ledgers"]> {
  const { request, ledgers } = situation;
  const { index, planned, status } = openStep(request);
  const { action, targets } = resolvedStep(situation, index);
  const [target] = targets;
  const [left, made] = [revisionOf(planned.from), revisionOf(after)];
  const { objectUid } = planned;
  if (!action.makesRelease || target === undefined || left === undefined || made === undefined)
    return ledgers;
  return changeLedgerOf(
    ports,
    ledgers,
    target,
    (before) =>
      recordRollback(before, {
        targetUid: objectUid ?? "",
        from: left,
        isUndo: isUndo(status),
        after: made,
        ...formerNumber(target, planned.to),
        at,
        request: request.metadata.name,
        reason: request.spec.reason || "rolled back by request",
      }),
    signal,
  );
}

function reportAct(
  ports: RequestPorts,
  { request, resolution }: ResolvedSituation,
  { index, planned, status }: OpenStep,
): void {
  const why = request.spec.reason === "" ? "" : `: ${request.spec.reason}`;
  ports.record({
    type: "Normal",
    reason: "RollbackStarted",
    action: "Rollback",
    note: `${isUndo(status) ? stepPrefix(request, index) : ""}${stepSentence(planned)}${why}`,
    regarding: request,
  });
  const { namespace, name, uid } = request.metadata;
  ports.observer.acted({
    request: `${namespace}/${name}`,
    uid,
    executor: resolution.serviceAccountName,
    step: planned.name,
    action: planned.action,
    object: planned.object,
    from: identityText(planned.from),
    to: identityText(planned.to),
    digest: planned.digest,
  });
}

/** For the log: `7/5d4f9` of a revision. */
function identityText(end: StepEnd | undefined): string {
  if (end === undefined) return "";
  return end.revision === undefined ? endText(end) : `${end.revision}/${end.podTemplateHash ?? ""}`;
}
