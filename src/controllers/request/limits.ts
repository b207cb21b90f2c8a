import { formatDuration, parseDuration } from "../../crds/duration.ts";
import { finish, type Decision } from "./decision.ts";
import type { OpenStep } from "./journal.ts";
import type { Situation } from "./situation.ts";
import { stayingChanges, stepPrefix } from "./wording.ts";

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

/** The end of a request whose open step takes longer than it may, or that as a whole does. */
export function overdue(situation: Situation, step: OpenStep, now: number): Decision | undefined {
  const { request, resolution, progress } = situation;
  const began = request.status?.steps?.map(({ startedAt }) => startedAt).find((at) => at !== undefined);
  if (began === undefined || resolution.kind === "Refused") return undefined;
  const deadline = parseDuration(request.spec.deadline);
  const deadlineAt = Date.parse(began) + deadline;
  const timeout = resolution.steps[step.index]?.timeoutMs ?? deadline;
  const { startedAt } = step.status;
  const timeoutAt = startedAt === undefined ? Infinity : Date.parse(startedAt) + timeout;
  if (now < Math.min(deadlineAt, timeoutAt)) return undefined;
  // Before its change it prepares; what it has come to says why it took so long.
  const isPreparing = step.status.state === "Applying" && step.planned.temporary !== undefined;
  const isTelling = progress?.kind === "InProgress" || progress?.kind === "Unreadable";
  const doing = isTelling || (isPreparing && progress?.kind === "Superseded") ? `: ${progress.message}` : "";
  const where = stepPrefix(request, step.index);
  const left = stayingChanges(request);
  return deadlineAt <= timeoutAt
    ? finish(
        "Failed",
        "DeadlineExceeded",
        `${where}the deadline of ${formatDuration(deadline)} passed${doing}${left}`,
      )
    : finish(
        "Failed",
        "Stuck",
        `${where}the step took longer than its timeout of ${formatDuration(timeout)}${doing}${left}`,
      );
}
