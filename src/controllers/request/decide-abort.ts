import { unrecordedEnd } from "./decide-step.ts";
import { finish, wait, type Decision } from "./decision.ts";
import { isUndo, type Journal, type OpenStep } from "./journal.ts";
import { endCompensation } from "./compensation-end.ts";
import { overdue } from "./limits.ts";
import type { Situation } from "./situation.ts";
import { compensatingBecause, stayingChanges, stepPrefix } from "./wording.ts";

/** The workload's controller numbers a change within milliseconds. */
const NUMBERING_POLL_MS = 250;

/**
 * Abort undoes nothing by itself; it says truly what was done. What was stored is recorded first, or the next request
 * would take the restored version for a release and go forward again.
 */
export function decideAbort(
  situation: Situation,
  journal: Exclude<Journal, { kind: "Broken" }>,
  now: number,
): Decision {
  const { request } = situation;
  const by = request.metadata.deletionTimestamp === undefined ? "aborted" : "aborted by its deletion";
  switch (journal.kind) {
    case "NotStarted":
      return aborted(`${by} before anything was changed`);
    case "StepsDone":
      return aborted(`${by} after the change was stored, which stays; abort undoes nothing`);
    case "UndosDone":
      // Nothing is left to abort.
      return endCompensation(request);
    case "InStep":
      return abortStep(situation, journal.step, by, now);
  }
}

function abortStep(situation: Situation, step: OpenStep, by: string, now: number): Decision {
  const { progress, request } = situation;
  const where = stepPrefix(request, step.index);
  const left = `${stayingChanges(request)}${compensatingBecause(request)}`;
  const change = isUndo(step.status) ? "undo" : "change";
  if (step.status.state === "Pending") return aborted(`${where}${by} before this step${left}`);
  if (progress === undefined) return { kind: "Observe" };
  const after = unrecordedEnd(situation, step);
  if (after !== undefined) return { kind: "Record", after };
  if (isUnnumbered(situation, step) && overdue(situation, step, now) === undefined) {
    const message = `${where}${by}; waits until the ${change}, which stays, has its revision number`;
    return wait("Applying", "Aborted", message, NUMBERING_POLL_MS);
  }
  if (progress.kind === "Unreadable") {
    return aborted(
      `${where}${by}; whether the ${change} was stored is not known: ${progress.message}${left}`,
    );
  }
  if (step.planned.objectUid === undefined) return aborted(`${where}${by} during this step${left}`);
  const stored = step.status.state === "Applied" || progress.kind !== "Superseded";
  if (stored) {
    const others = `${stayingChanges(request, step.status.name)}${compensatingBecause(request)}`;
    return aborted(
      `${where}${by} after the ${change} was stored, which stays; abort undoes nothing${others}`,
    );
  }
  return aborted(
    left === "" ? `${by} before anything was changed` : `${where}${by} before its ${change}${left}`,
  );
}

/** The change is stored, but the workload's controller has not taken it up yet. */
function isUnnumbered({ progress }: Situation, { status }: OpenStep): boolean {
  return progress?.kind === "InProgress" && progress.after === undefined && status.after === undefined;
}

function aborted(message: string): Decision {
  return finish("Aborted", "Aborted", message);
}
