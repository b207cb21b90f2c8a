import { podComplaints } from "../../workloads/pod-complaints.ts";
import { podsOfRevisions } from "../../workloads/pods.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import { liveRevision, toRef } from "../../workloads/revisions.ts";
import { rolloutStateOf } from "../../workloads/rollout-state.ts";
import { stuckReason } from "../../workloads/stuck.ts";
import { parseWorkloadTitle } from "../../workloads/workload.ts";
import type { ApplyContext, Progress } from "../action.ts";
import { superseded } from "../results.ts";
import type { RestartEnd, RestartPlan } from "./plan.ts";
import { restartedAt, templateDigest } from "./template-identity.ts";

/** Watch events wake the step; this only bounds how long a lost one can delay it. */
const POLL_MS = 1_000;

/** How far the rollout of the same template with another time is, by the rules of `kubectl rollout status`. */
export async function observeRestart(
  { object, objectUid, to }: RestartPlan,
  context: ApplyContext,
  stuckAfterMs: number,
): Promise<Progress> {
  const { executor, namespace, signal } = context;
  const workload = await readWorkload(executor, parseWorkloadTitle(object, namespace), signal);
  if (workload === undefined) return superseded(`${object} is gone`);
  const { metadata, spec } = workload.object;
  const { template } = spec;
  if (metadata.uid !== objectUid) return superseded(`${object} was deleted and created again`);
  if (templateDigest(template) !== to.templateDigest) {
    return superseded(`${object} was changed by somebody else after the act`);
  }
  if (restartedAt(template) !== to.restartedAt) {
    return superseded(`${object} was restarted by somebody else after the act`);
  }
  const state = rolloutStateOf(workload);
  // Its revision exists once the controller has seen the change.
  const made = state.observed ? liveRevision(workload.object, workload.revisions) : undefined;
  if (made === undefined) return { kind: "InProgress", message: state.message, pollAfterMs: POLL_MS };
  const after: RestartEnd = { ...to, ...toRef(made) };
  if (state.complete) return { kind: "Done", message: state.message, after };
  const complaints = podComplaints(await podsOfRevisions(workload, [made], executor, signal));
  const stuck = stuckReason(workload.object, complaints, context, { stuckAfterMs, who: "a restarted pod" });
  if (stuck !== undefined) {
    return { kind: "Failed", reason: "Stuck", message: `${state.message}; ${stuck}`, after };
  }
  const words = [state.message, ...complaints.slice(0, 3).map(({ text }) => text)];
  return { kind: "InProgress", message: words.join("; "), pollAfterMs: POLL_MS, after };
}
