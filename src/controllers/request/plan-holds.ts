import type { PlanResult } from "../../actions/action.ts";
import { digestOf } from "../../actions/digest.ts";
import { lookAtHold } from "../../gitops/end-hold.ts";
import { findHolds, type FoundHolds } from "../../gitops/find-holds.ts";
import type { Holder } from "../../gitops/held-by.ts";
import { NotedOwners, REFUSE_OWNED, type GitOpsRule } from "../../gitops/rule.ts";
import { ownerText } from "../../gitops/owner.ts";
import type { RollbackRequest } from "../../kube/rollback-kinds.ts";
import type { GitOpsPorts } from "../gitops.ts";
import { withWarnings } from "./check-rights.ts";
import type { RequestPlan } from "./situation.ts";

/** Holds of one request; more would be no rollback of one service. */
const MAX_HOLDS = 8;

/** What a plan does about objects that a GitOps tool owns. */
export interface GitOpsPlanning {
  readonly rule: GitOpsRule;
  /** The plan with what is to be stopped first, or why that cannot be. Throws KubeError. */
  complete(plan: RequestPlan, signal: AbortSignal): Promise<PlanResult<RequestPlan>>;
  /**
   * Of a step that is planned again: a hold that was lost, or an owner that came to be since the request began; either
   * would undo the change. Throws KubeError.
   */
  unheld(request: RollbackRequest, signal: AbortSignal): Promise<Refusal | undefined>;
}

type Refusal = Extract<FoundHolds, { readonly kind: "Refused" }>;

const REFUSING: GitOpsPlanning = {
  rule: REFUSE_OWNED,
  complete: (plan) => Promise.resolve({ kind: "Planned", plan }),
  unheld: () => Promise.resolve(undefined),
};

/** For one plan: `holder` is undefined where the policy refuses what GitOps owns, or where there is no policy. */
export function gitOpsPlanning(gitOps: GitOpsPorts, holder: Holder | undefined): GitOpsPlanning {
  if (holder === undefined) return REFUSING;
  const owners = new NotedOwners();
  return {
    rule: owners,
    async complete(plan, signal) {
      const owned = owners.list();
      if (owned.length === 0) return { kind: "Planned", plan };
      const found = await findHolds(owned, holder, gitOps.reader(signal));
      if (found.kind === "Refused") return found;
      if (found.holds.length > MAX_HOLDS) {
        const message = `its objects belong to ${found.holds.length} GitOps objects, at most ${MAX_HOLDS} can be stopped by one request: split it`;
        return { kind: "Refused", reason: "GitOpsManaged", message };
      }
      const warned = withWarnings(plan, found.warnings);
      if (found.holds.length === 0) return { kind: "Planned", plan: warned };
      const holds = [...found.holds];
      return { kind: "Planned", plan: { ...warned, holds, digest: digestOf([plan.digest, holds]) } };
    },
    async unheld({ metadata, status }, signal) {
      const reader = gitOps.reader(signal);
      const holds = status?.holds ?? [];
      const { namespace = "", name } = metadata;
      for (const hold of holds) {
        const look = await lookAtHold(hold, { namespace, name }, 0, reader);
        if (look.kind === "Lost") return { kind: "Refused", reason: "HoldLost", message: look.message };
      }
      const owned = owners.list();
      if (owned.length === 0) return undefined;
      const found = await findHolds(owned, holder, reader);
      if (found.kind === "Refused") return found;
      const held = new Set(holds.map(({ uid }) => uid));
      const strange = found.holds.find(({ uid }) => !held.has(uid));
      if (strange === undefined) return undefined;
      const message = `${ownerText(strange)} has come to own ${strange.objects.join(", ")} and is not stopped by this request`;
      return { kind: "Refused", reason: "GitOpsManaged", message };
    },
  };
}
