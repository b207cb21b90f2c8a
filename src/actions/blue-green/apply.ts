import { serviceType, type Service } from "../../kube/well-known.ts";
import { podComplaints } from "../../workloads/pod-complaints.ts";
import { stuckReason } from "../../workloads/stuck.ts";
import type { ApplyContext, ApplyResult } from "../action.ts";
import { writeGuarded, type ReadyToWrite } from "../guarded-write.ts";
import { raiseValue } from "../move-value.ts";
import { superseded } from "../results.ts";
import { readiness } from "./color-pods.ts";
import { serviceName, type BlueGreenPlan } from "./end.ts";
import { selectorDigest, selectorOf, sendColor } from "./selector.ts";

/** Pods become ready without any news to us. */
const POLL_MS = 500;

/**
 * Brings the colour of `plan.to` to its number of pods, and once they are Ready gives it the traffic, if the Service
 * still has the selector of the plan. Safe to repeat at any time.
 */
export async function applyBlueGreen(
  plan: BlueGreenPlan,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<ApplyResult> {
  const { executor, namespace, signal } = context;
  const key = { namespace, name: serviceName(plan.object) };
  const read = () => executor.tryGet(serviceType, key, { signal });
  const service = await read();
  const state = stateOf(plan, service, context);
  if (state.kind !== "Ready" || service === undefined) return state as ApplyResult;
  for (const change of plan.temporary ?? []) {
    const { found, during } = change;
    if (found === during) continue;
    const raised = await raiseValue({ ...change, from: found, to: during }, context);
    if (raised.kind !== "Applied") return raised;
  }
  const unready = await notReady(plan, service, context, stuckAfterMs);
  return unready ?? writeGuarded(async () => stateOf(plan, await read(), context));
}

function stateOf(
  { object, objectUid, from, to }: BlueGreenPlan,
  service: Service | undefined,
  { executor, signal }: ApplyContext,
): ApplyResult | ReadyToWrite {
  if (service === undefined) return superseded(`${object} is gone`);
  if (service.metadata.uid !== objectUid) return superseded(`${object} was deleted and created again`);
  const digest = selectorDigest(selectorOf(service));
  if (digest === to.selectorDigest) return { kind: "Applied", alreadyThere: true };
  if (digest !== from.selectorDigest) {
    return superseded(`the selector of ${object} was changed by somebody else before the act`);
  }
  const { color, colorLabel: label } = to;
  return { kind: "Ready", send: () => sendColor(service, { label, color }, executor, signal, false) };
}

/** Why the colour cannot take the traffic yet, or never will; undefined when it can. */
async function notReady(
  plan: BlueGreenPlan,
  service: Service,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<ApplyResult | undefined> {
  const { isEnough, message, pods } = await readiness(plan, service, context);
  if (isEnough) return undefined;
  const complaints = podComplaints(pods);
  // Its pods may be older than the step: each is judged by its own age.
  const age = { now: context.now, appliedAt: 0 };
  const stuck = stuckReason({}, complaints, age, { stuckAfterMs, who: "a pod" });
  if (stuck !== undefined) return { kind: "Refused", reason: "Stuck", message: `${message}; ${stuck}` };
  const words = [message, ...complaints.slice(0, 3).map(({ text }) => text)];
  return { kind: "Preparing", message: words.join("; "), pollAfterMs: POLL_MS };
}
