import type { Advance, ApplyContext, ApplyResult, Progress } from "../action.ts";
import { destinationText } from "../../crds/canary-step.ts";
import { writeGuarded } from "../guarded-write.ts";
import { superseded } from "../results.ts";
import type { CanaryPlan } from "./canary-plan.ts";
import { changedText, firstOpen, foreignChange } from "./part.ts";
import { allParts, readStages, type Stage } from "./stages.ts";

/** How soon the next write follows the one before. */
const NEXT_WRITE_MS = 50;

/**
 * The first write of the plan; `advance` makes the others, one at a time. Nothing is written unless everything is as
 * it was planned with. Safe to repeat at any time.
 */
export function applyCanary(plan: CanaryPlan, context: ApplyContext): Promise<ApplyResult> {
  return writeGuarded(async () => {
    const parts = allParts(await readStages(plan, context));
    const first = parts.find(({ changes }) => changes)?.state;
    // A try of ours before a crash; what else became of the rest, `observe` tells.
    if (first === undefined || first.kind === "To") return { kind: "Applied", alreadyThere: true };
    const foreign = foreignChange(parts);
    if (foreign !== undefined || first.kind === "Foreign") {
      return superseded(`${foreign ?? "it was changed"} before the act`);
    }
    return { kind: "Ready", send: () => first.send() };
  });
}

/** How far the plan is: which write is due, or what is waited for. */
export async function observeCanary(plan: CanaryPlan, context: ApplyContext): Promise<Progress> {
  const stages = await readStages(plan, context);
  const parts = allParts(stages);
  const foreign = foreignChange(parts);
  if (foreign !== undefined) return superseded(`${foreign} after the act${changedText(parts)}`);
  const next = await nextOf(stages);
  switch (next.kind) {
    case "Write":
      return {
        kind: "InProgress",
        message: `next: ${next.open.act}`,
        pollAfterMs: NEXT_WRITE_MS,
        needsAdvance: true,
      };
    case "Wait":
      return { kind: "InProgress", message: next.message, pollAfterMs: next.pollAfterMs };
    case "Done":
      return { kind: "Done", message: doneText(plan), after: plan.to };
  }
}

/** Makes the next write, if it is still due when looked at again. */
export async function advanceCanary(plan: CanaryPlan, context: ApplyContext): Promise<Advance> {
  let act = "";
  const result = await writeGuarded(async () => {
    const stages = await readStages(plan, context);
    const foreign = foreignChange(allParts(stages));
    if (foreign !== undefined) return superseded(foreign);
    const next = await nextOf(stages);
    if (next.kind !== "Write") return { kind: "Applied", alreadyThere: true };
    act = next.open.act;
    return { kind: "Ready", send: () => next.open.send() };
  });
  return { message: result.kind === "Applied" ? act : result.message };
}

type Next =
  | { readonly kind: "Write"; readonly open: NonNullable<ReturnType<typeof firstOpen>> }
  | { readonly kind: "Wait"; readonly message: string; readonly pollAfterMs: number }
  | { readonly kind: "Done" };

/** A stage begins when the one before it is complete. */
async function nextOf(stages: readonly Stage[]): Promise<Next> {
  for (const { parts, pending } of stages) {
    const open = firstOpen(parts);
    if (open !== undefined) return { kind: "Write", open };
    const wait = await pending();
    if (wait !== undefined) return { kind: "Wait", ...wait };
  }
  return { kind: "Done" };
}

function doneText({ to, canary }: CanaryPlan): string {
  const { destination, routes } = to.traffic;
  const by = routes.length === 1 ? "by 1 route" : `by ${routes.length} routes`;
  const what = `requests go to ${destinationText(destination)} ${by}`;
  return canary.workload === undefined
    ? what
    : `${what}; ${canary.workload.object} has ${to.replicas} replicas`;
}
