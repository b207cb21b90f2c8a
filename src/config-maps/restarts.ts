import { podComplaints } from "../workloads/pod-complaints.ts";
import { podsOfRevisions } from "../workloads/pods.ts";
import { readLiveWorkload, readWorkload } from "../workloads/read-workload.ts";
import { liveRevision } from "../workloads/revisions.ts";
import { rolloutStateOf } from "../workloads/rollout-state.ts";
import { sendRestart } from "../workloads/send-restart.ts";
import { stuckReason } from "../workloads/stuck.ts";
import { RESTARTED_AT } from "../workloads/template.ts";
import { parseWorkloadTitle, type LiveWorkload } from "../workloads/workload.ts";
import { isInvalid } from "../kube/errors.ts";
import type { Place } from "./place.ts";

/** Restarts that one change of a ConfigMap brings about. */
export interface Restarts {
  /** `Deployment/web`, ... */
  readonly titles: readonly string[];
  /** Value of the annotation, RFC 3339: the same time again is the same restart, so each happens once. */
  readonly at: string;
  /** When the change was stored, milliseconds since the epoch. */
  readonly appliedAt: number | undefined;
}

export type RestartState =
  | { readonly kind: "Fresh"; readonly message: string }
  | { readonly kind: "Stale" | "Rolling"; readonly message: string }
  | { readonly kind: "Stuck"; readonly message: string };

/** How far the pods of all of them are replaced; one that is gone needs nothing. Throws KubeError. */
export async function observeRestarts(
  place: Place,
  restarts: Restarts,
  { now, stuckAfterMs }: { readonly now: number; readonly stuckAfterMs: number },
): Promise<RestartState> {
  const states = await Promise.all(
    restarts.titles.map((title) => observeOne(place, title, restarts, now, stuckAfterMs)),
  );
  const pick = (kind: RestartState["kind"]) => states.find((state) => state.kind === kind);
  return (
    pick("Stale") ??
    pick("Stuck") ??
    pick("Rolling") ?? {
      kind: "Fresh",
      message: restarts.titles.map((title) => `${title} restarted`).join(", "),
    }
  );
}

async function observeOne(
  { executor, namespace, signal }: Place,
  title: string,
  restarts: Restarts,
  now: number,
  stuckAfterMs: number,
): Promise<RestartState> {
  const workload = await readWorkload(executor, parseWorkloadTitle(title, namespace), signal);
  if (workload === undefined) return { kind: "Fresh", message: "" };
  if (!isRestarted(workload, restarts)) return { kind: "Stale", message: `${title} is to be restarted` };
  const state = rolloutStateOf(workload);
  if (state.complete) return { kind: "Fresh", message: "" };
  const message = `${title}: ${state.message}`;
  const made = state.observed ? liveRevision(workload.object, workload.revisions) : undefined;
  if (made === undefined) return { kind: "Rolling", message };
  const complaints = podComplaints(await podsOfRevisions(workload, [made], executor, signal));
  const { appliedAt } = restarts;
  const stuck = stuckReason(
    workload.object,
    complaints,
    { now, appliedAt },
    { stuckAfterMs, who: "a restarted pod" },
  );
  if (stuck !== undefined) return { kind: "Stuck", message: `${message}; ${stuck}` };
  const words = [message, ...complaints.slice(0, 3).map(({ text }) => text)];
  return { kind: "Rolling", message: words.join("; ") };
}

/** Restarts those that were not yet. Safe to repeat. Throws KubeError, isForbidden too. */
export async function restartStale(
  { executor, namespace, signal }: Place,
  restarts: Restarts,
): Promise<readonly string[]> {
  const done: string[] = [];
  for (const title of restarts.titles) {
    const workload = await readLiveWorkload(executor, parseWorkloadTitle(title, namespace), signal);
    if (workload === undefined || isRestarted(workload, restarts)) continue;
    try {
      await sendRestart(workload, restarts.at, executor, signal, false);
      done.push(title);
    } catch (error) {
      // Somebody changed it meanwhile, or admission objects: the next look decides.
      if (!isInvalid(error)) throw error;
    }
  }
  return done;
}

/** By us, or by somebody else after the change. */
function isRestarted({ object }: LiveWorkload, { at, appliedAt }: Restarts): boolean {
  const live = object.spec.template.metadata?.annotations?.[RESTARTED_AT];
  return live === at || (live !== undefined && appliedAt !== undefined && Date.parse(live) >= appliedAt);
}
