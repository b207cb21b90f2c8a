import type { Progress } from "../../actions/action.ts";
import { openStep } from "./journal.ts";
import type { RequestPorts } from "./ports.ts";
import { applyContext, resolvedStep, type ResolvedSituation } from "./running.ts";
import type { Situation } from "./situation.ts";
import { unlessForbidden } from "./step.ts";

/** Makes the write that the stored change waits for, at most one part of it a pass; the next look is the next pass. */
export async function advance(
  ports: RequestPorts,
  situation: ResolvedSituation,
  progress: Extract<Progress, { kind: "InProgress" }>,
  signal: AbortSignal,
): Promise<Situation> {
  const { index, planned, status } = openStep(situation.request);
  const { action } = resolvedStep(situation, index);
  const context = applyContext(ports, situation, status.appliedAt, signal);
  const result = await unlessForbidden(action.advance(planned, context), planned.object);
  if ("kind" in result) return { ...situation, progress: result };
  const words = [progress.message, result.message].filter((text) => text !== "");
  const { needsAdvance: _, ...waiting } = progress;
  return { ...situation, progress: { ...waiting, message: words.join("; ") } };
}
