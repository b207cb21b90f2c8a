import { createHash } from "node:crypto";
import type { PlanResult } from "../../actions/action.ts";
import type { RollbackLedgerSpec } from "../../crds/rollback-ledger.ts";
import type { PlannedStep } from "../../crds/rollback-request.ts";
import type { RollbackPolicy } from "../../kube/rollback-kinds.ts";
import { endText } from "../request/wording.ts";
import { checkExecutor } from "../request/executor.ts";
import type { PolicyPorts } from "./ports.ts";

/** Would a rollback work right now, to what, and if not why not. */
export interface RollbackReadiness {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
  /** `revision 6`, for a column. */
  readonly target: string | undefined;
  /** What it was asked about; another question makes it stale. */
  readonly question: string;
  /** When it was asked, ms since the epoch. */
  readonly askedAt: number;
}

/** A good answer holds until something changes or this long; a bad one is asked again sooner. */
const GOOD_FOR_MS = 3_600_000;
const BAD_FOR_MS = 30_000;

/** Whether the answer still answers the question. Good answers of many policies expire at different times. */
export function isCurrent(readiness: RollbackReadiness | undefined, question: string, now: number): boolean {
  if (readiness === undefined || readiness.question !== question) return false;
  const age = now - readiness.askedAt;
  // An answer from the future was made before the clock was set back.
  return age >= 0 && age < (readiness.ready ? GOOD_FOR_MS * spreadOf(question) : BAD_FOR_MS);
}

/** From 0.75 to 1.25, the same for the same question. */
function spreadOf(question: string): number {
  return 0.75 + createHash("sha256").update(question).digest().readUInt16BE() / 2 ** 17;
}

/** Makes the very plan that an automatic rollback would make, dry run included. Throws KubeError. */
export async function askReadiness(
  ports: PolicyPorts,
  policy: RollbackPolicy,
  ledger: RollbackLedgerSpec | undefined,
  question: string,
  signal: AbortSignal,
): Promise<RollbackReadiness> {
  const asked = { question, askedAt: ports.clock.now() };
  const { serviceAccountName, target } = policy.spec;
  if (serviceAccountName === undefined) {
    const message =
      "the policy may not act: set spec.serviceAccountName to a ServiceAccount of its namespace";
    return { ready: false, reason: "ExecutorNotSet", message, target: undefined, ...asked };
  }
  const namespace = policy.metadata.namespace ?? "";
  const account = { namespace, name: serviceAccountName };
  const spec = { kind: target.kind, name: target.name, to: { strategy: "LastKnownGood" } } as const;
  const step = ports.actions.bind("application", { workload: spec });
  const able = await checkExecutor(ports.client, account, step.rights, signal);
  const plan =
    able.kind === "Refused"
      ? able
      : await step.plan({
          executor: ports.client.as(account),
          executorName: serviceAccountName,
          namespace,
          ledger,
          from: undefined,
          earlier: undefined,
          expectedPodTemplateHash: undefined,
          allowedImages: [],
          automatic: true,
          now: asked.askedAt,
          signal,
        });
  return { ...answerOf(plan), ...asked };
}

function answerOf(
  plan: PlanResult<PlannedStep>,
): Pick<RollbackReadiness, "ready" | "reason" | "message" | "target"> {
  switch (plan.kind) {
    case "Planned":
      return {
        ready: true,
        reason: "Planned",
        message: [`would go back to ${endText(plan.plan.to ?? {})}`, ...plan.plan.warnings].join("; "),
        target: `revision ${plan.plan.to?.revision}`,
      };
    case "Refused":
      return { ready: false, reason: plan.reason, message: plan.message, target: undefined };
    case "NothingToDo":
      return { ready: false, reason: "NothingToDo", message: plan.message, target: undefined };
    case "Superseded":
    case "Pending":
      return { ready: false, reason: "Reconciling", message: plan.message, target: undefined };
  }
}
