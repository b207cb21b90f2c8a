import { readLiveWorkload } from "../../workloads/read-workload.ts";
import { sendRestart } from "../../workloads/send-restart.ts";
import { parseWorkloadTitle, type LiveWorkload } from "../../workloads/workload.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { writeGuarded, type ReadyToWrite } from "../guarded-write.ts";
import { superseded } from "../results.ts";
import type { RestartPlan } from "./plan.ts";
import { restartedAt, templateDigest } from "./template-identity.ts";

/** Writes the time of the plan, if nothing changed since: the same time again is the same restart. Safe to repeat. */
export function applyRestart(plan: RestartPlan, context: ApplyContext): Promise<ApplyResult> {
  const { executor, namespace, signal } = context;
  const key = parseWorkloadTitle(plan.object, namespace);
  return writeGuarded(async () => stateOf(plan, await readLiveWorkload(executor, key, signal), context));
}

function stateOf(
  { object, objectUid, from, to }: RestartPlan,
  workload: LiveWorkload | undefined,
  { executor, signal }: ApplyContext,
): ApplyResult | ReadyToWrite {
  if (workload === undefined) return superseded(`${object} is gone`);
  const { metadata, spec } = workload.object;
  if (metadata.uid !== objectUid) return superseded(`${object} was deleted and created again`);
  if (templateDigest(spec.template) !== from.templateDigest) {
    return superseded(`${object} was changed by somebody else before the act`);
  }
  const at = restartedAt(spec.template);
  if (at === to.restartedAt) return { kind: "Applied", alreadyThere: true };
  if (at !== from.restartedAt) return superseded(`${object} was restarted by somebody else before the act`);
  if (workload.kind === "Deployment" && workload.object.spec.paused === true) {
    return { kind: "Refused", reason: "Paused", message: `${object} was paused between plan and act` };
  }
  return { kind: "Ready", send: () => sendRestart(workload, to.restartedAt, executor, signal, false) };
}
