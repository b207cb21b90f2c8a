import { formatDuration, parseDuration } from "../../crds/duration.ts";
import type { Failure } from "./decision.ts";
import { awaitsHolds } from "./holds.ts";
import { isUndo, originOf, type OpenStep } from "./journal.ts";
import type { Situation } from "./situation.ts";

/** Why nothing may be written. A switch that cannot be read stops only what the operator does by itself. */
export function stopMessage({ killSwitch, automatic }: Situation): string | undefined {
  switch (killSwitch.kind) {
    case "Off":
      return undefined;
    case "On":
      return killSwitch.message;
    case "Unreadable":
      return automatic === undefined ? undefined : killSwitch.message;
  }
}

/** What took too long. */
export interface Overdue extends Failure {
  /** The deadline of the request passed, not only the timeout of the step. */
  readonly ofRequest: boolean;
}

/**
 * Whether the open step takes longer than it may, or the request as a whole does. What undoes has the deadline once more
 * from its beginning, and each step of it the timeout of the one that it takes back.
 */
export function overdue(situation: Situation, step: OpenStep, now: number): Overdue | undefined {
  const { request, resolution, progress } = situation;
  const { steps = [], compensating } = request.status ?? {};
  const began = isUndo(step.status)
    ? compensating?.since
    : steps.map(({ startedAt }) => startedAt).find((at) => at !== undefined);
  if (began === undefined || resolution.kind === "Refused") return undefined;
  const deadline = parseDuration(request.spec.deadline);
  const deadlineAt = Date.parse(began) + deadline;
  const timeout = resolution.steps[originOf(request, step.index)]?.timeoutMs ?? deadline;
  const timeoutAt = stepBeganAt(situation, step) + timeout;
  if (now < Math.min(deadlineAt, timeoutAt)) return undefined;
  // Before its change it prepares; what it has come to says why it took so long.
  const isPreparing = step.status.state === "Applying" && step.planned.temporary !== undefined;
  const isTelling = progress?.kind === "InProgress" || progress?.kind === "Unreadable";
  const doing = isTelling || (isPreparing && progress?.kind === "Superseded") ? `: ${progress.message}` : "";
  return deadlineAt <= timeoutAt
    ? {
        ofRequest: true,
        reason: "DeadlineExceeded",
        message: `the deadline of ${formatDuration(deadline)} passed${doing}`,
      }
    : {
        ofRequest: false,
        reason: "Stuck",
        message: `the step took longer than its timeout of ${formatDuration(timeout)}${doing}`,
      };
}

/**
 * When the step could begin, milliseconds since the epoch: waiting for what stops GitOps tools is no time of its own, and
 * has limits of its own. Infinity while that goes on, and before its announcement.
 */
function stepBeganAt({ request }: Situation, { status }: OpenStep): number {
  const { startedAt } = status;
  if (startedAt === undefined || awaitsHolds(request)) return Infinity;
  const held = (request.status?.holds ?? []).flatMap(({ heldAt }) => (heldAt === undefined ? [] : [heldAt]));
  return Math.max(...[startedAt, ...held].map((at) => Date.parse(at)));
}
