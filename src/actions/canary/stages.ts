import { parseDuration } from "../../crds/duration.ts";
import { podComplaints } from "../../workloads/pod-complaints.ts";
import { isObserved } from "../../workloads/rollout-state.ts";
import { ownedPods, type ScaleTarget } from "../scale-target.ts";
import type { ApplyContext } from "../action.ts";
import { bringsPodsBack, type CanaryPlan } from "./canary-plan.ts";
import type { Part } from "./part.ts";
import { routeParts, type RoutePart } from "./route-part.ts";
import { workloadParts } from "./workload-parts.ts";

/** Watch events wake the step for Deployments; this bounds a lost one, and is all there is for routes. */
const POLL_MS = 1_000;

/** The time that a route carries is that before it was written; so long a write may take without shortening the drain. */
const WRITE_MS = 1_000;

export interface Wait {
  readonly message: string;
  readonly pollAfterMs: number;
}

/** Parts that are changed together, and what must be true before the next stage. */
export interface Stage {
  readonly parts: readonly Part[];
  /** What is waited for once all parts are as planned; undefined for nothing. Throws KubeError. */
  pending(): Promise<Wait | undefined>;
}

/**
 * What a plan changes, in order, as it is now. Requests leave the canary before its pods do: routes, drain, pods. On the
 * way back the pods are there before the requests come. Throws KubeError.
 */
export async function readStages(plan: CanaryPlan, context: ApplyContext): Promise<readonly Stage[]> {
  const [routes, { parts, target }] = await Promise.all([
    routeParts(plan, context),
    workloadParts(plan, context),
  ]);
  const pods: Stage = {
    parts,
    pending: async () => (target === undefined ? undefined : podsPending(target, context)),
  };
  if (bringsPodsBack(plan)) {
    return [pods, { parts: routes.toReversed(), pending: async () => notTakenUp(routes) }];
  }
  return [
    { parts: routes, pending: async () => notTakenUp(routes) ?? draining(plan, routes, context) },
    pods,
  ];
}

export function allParts(stages: readonly Stage[]): readonly Part[] {
  return stages.flatMap(({ parts }) => parts);
}

function notTakenUp(routes: readonly RoutePart[]): Wait | undefined {
  const message = routes.find(({ unsettled }) => unsettled !== undefined)?.unsettled;
  return message === undefined ? undefined : { message, pollAfterMs: POLL_MS };
}

/** From the last change of a route on; a route whose record somebody took away counts from the first one. */
function draining(
  { canary }: CanaryPlan,
  routes: readonly RoutePart[],
  { now, appliedAt }: ApplyContext,
): Wait | undefined {
  const changed = routes.filter(({ changes }) => changes);
  if (changed.length === 0) return undefined;
  const last = Math.max(appliedAt ?? 0, ...changed.map(({ movedAt }) => movedAt ?? 0));
  const drainMs = parseDuration(canary.drain);
  const end = drainMs === 0 ? last : last + WRITE_MS + drainMs;
  if (end <= now) return undefined;
  return {
    // The time, not what is left of it: a message that changes every second would be written every second.
    message: `nothing is sent to the canary any more; its requests have until ${new Date(end).toISOString()} to end`,
    pollAfterMs: Math.min(end - now, POLL_MS),
  };
}

/** With 0 wanted until none is left, those that terminate included; else until all are Ready. */
async function podsPending(
  target: ScaleTarget,
  { executor, signal }: ApplyContext,
): Promise<Wait | undefined> {
  const { kind, workload, replicas } = target;
  const waiting = (message: string): Wait => ({ message, pollAfterMs: POLL_MS });
  if (!isObserved(workload)) return waiting(`the ${kind} controller has not seen the change yet`);
  const { replicas: all = 0, readyReplicas: ready = 0 } = workload.status ?? {};
  if (replicas > 0 && all === replicas && ready === replicas) return undefined;
  const pods = await ownedPods(target, executor, signal);
  if (replicas === 0) {
    const left = Math.max(all, pods.length);
    return left === 0 ? undefined : waiting(`${left} pods of the canary are not gone yet`);
  }
  const complaints = podComplaints(pods).slice(0, 3);
  return waiting([`${ready}/${replicas} ready`, ...complaints.map(({ text }) => text)].join("; "));
}
