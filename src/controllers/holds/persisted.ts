import type { HoldStatus } from "../../crds/gitops-hold.ts";
import type { RollbackRequestStatus } from "../../crds/rollback-request.ts";
import { setCondition, type Condition } from "../../kube/conditions.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { HoldDecision } from "./decide-hold.ts";

/** How a hold came out of one pass; `keep` while it stands. */
export interface HoldOutcome {
  readonly hold: HoldStatus;
  readonly keep?: Pick<Extract<HoldDecision, { kind: "Keep" }>, "agreement" | "message"> | undefined;
}

/** Condition Persisted: whether the rollback lasts without us. */
export interface PersistedFact {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** Of all holds together the worst; undefined where no hold says anything. Pure. */
export function persistedOf(outcomes: readonly HoldOutcome[]): PersistedFact | undefined {
  const facts = outcomes.map(factOf);
  for (const status of ["False", "Unknown", "True"] as const) {
    const alike = facts.filter((fact) => fact.status === status);
    const [first] = alike;
    if (first !== undefined) return { ...first, message: alike.map(({ message }) => message).join("; ") };
  }
  return undefined;
}

function factOf({ hold, keep }: HoldOutcome): PersistedFact {
  if (keep !== undefined) {
    return keep.agreement === "Differs"
      ? { status: "False", reason: "GitDiffers", message: keep.message }
      : { status: "Unknown", reason: "NotCompared", message: keep.message };
  }
  const { endReason: reason = "Released", message = "" } = hold;
  switch (reason) {
    case "GitAgrees":
      return { status: "True", reason, message };
    case "HoldLost":
    case "Overtaken":
      return { status: "False", reason, message };
    default:
      return { status: "Unknown", reason, message };
  }
}

/**
 * The status with what one pass found. A deletion is a generation of its own, and the spec never changes: all that was said
 * of the one before holds for it. Pure.
 */
export function withPersisted(
  { metadata, status }: RollbackRequest,
  holds: readonly HoldStatus[],
  fact: PersistedFact | undefined,
  now: number,
): RollbackRequestStatus {
  const observedGeneration = metadata.generation ?? 1;
  const before = ((status?.conditions ?? []) as readonly Condition[]).map((each) => ({
    ...each,
    observedGeneration,
  }));
  const conditions =
    fact === undefined
      ? before
      : setCondition(before, { type: "Persisted", observedGeneration, ...fact }, now);
  return { ...status, observedGeneration, holds: [...holds], conditions: [...conditions] };
}
