import type { WorkloadKind } from "../../crds/common.ts";
import type { WorkloadTo } from "../../crds/steps.ts";
import { liveRevisionOf, stableRevision } from "../../workloads/live-revision.ts";
import { podLabelOf } from "../../workloads/pods.ts";
import { readWorkload, withRevisionsOfNow, type Workload } from "../../workloads/read-workload.ts";
import { toRef, type Revision } from "../../workloads/revisions.ts";
import { isObserved, rolloutStateOf } from "../../workloads/rollout-state.ts";
import { sameTemplate } from "../../workloads/template.ts";
import { workloadTitle, type WorkloadKey } from "../../workloads/workload.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { superseded } from "../results.ts";
import { chooseRevision } from "./choose.ts";
import { choosePin, destinationOf, type Destination } from "./destination.ts";
import { rolloutProblem } from "./rollout/ready.ts";

export interface WorkloadSpec {
  readonly kind: WorkloadKind;
  readonly name: string;
  readonly to: WorkloadTo;
}

/** Where a rollback starts and where it goes, read now. */
export interface Ends {
  readonly workload: Workload;
  readonly live: Revision;
  readonly to: Destination;
}

export type ResolvedEnds =
  (Ends & { readonly kind: "Resolved"; readonly warnings: readonly string[] }) | Unresolved;

/** Why there is nothing to plan. */
export type Unresolved = Exclude<PlanResult<never>, { kind: "Planned" }>;

/** Time between two looks while the workload's controller catches up. */
const CONTROLLER_LAG_POLL_MS = 250;

/**
 * Resolves a step to two ends. With `mayBeBehind` the history is that of the API server's watch cache, since a
 * consistent LIST waits up to 100 ms for it: see `isConfirmed`.
 */
export async function resolveEnds(
  spec: WorkloadSpec,
  context: PlanContext,
  mayBeBehind: boolean,
): Promise<ResolvedEnds> {
  const key = { kind: spec.kind, namespace: context.namespace, name: spec.name };
  const object = workloadTitle(key);
  const workload = await readWorkload(context.executor, key, context.signal, mayBeBehind);
  if (workload === undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${key.namespace}`);
  }
  const unready = notReadyToPlan(workload, object);
  if (unready !== undefined) return unready;
  const live = liveRevisionOf(workload);
  if (live === undefined) return pending(`the revision of ${object}'s live template is not recorded yet`);
  const changed = changedSinceAccepted(live, context, key, object);
  if (changed !== undefined) return changed;
  const choice = choose(spec, workload, live, context);
  if (choice.kind === "NothingToDo") return nothingToDo(workload, live, `${object}: ${choice.message}`);
  if (choice.kind === "Refused") return refused(choice.reason, `${object}: ${choice.message}`);
  return { kind: "Resolved", workload, live, to: choice.destination, warnings: choice.warnings };
}

/**
 * Whether both revisions are still as the cache had them. The cache is in order, so once it shows the live revision it
 * lacks none before it. That the workload itself is still so, a patch tests. Throws KubeError.
 */
export async function isConfirmed(ends: Ends, context: PlanContext): Promise<boolean> {
  const revisions = [ends.live, ...(ends.to.revision === undefined ? [] : [ends.to.revision])];
  const names = revisions.map(({ name }) => name);
  const now = await withRevisionsOfNow(context.executor, ends.workload, names, context.signal);
  return revisions.every((wanted) =>
    now.revisions.some(
      ({ uid, revision, changeCause, template }) =>
        uid === wanted.uid &&
        revision === wanted.revision &&
        changeCause === wanted.changeCause &&
        sameTemplate(template, wanted.template),
    ),
  );
}

function choose({ to }: WorkloadSpec, workload: Workload, live: Revision, context: PlanContext) {
  if (to.image !== undefined) return choosePin(to.image, workload, live, context.allowedImages);
  const choice = chooseRevision({
    to,
    revisions: workload.revisions,
    live,
    ledger: context.ledger,
    revisionHistoryLimit: workload.object.spec.revisionHistoryLimit ?? 10,
    automatic: context.automatic,
    stable: stableRevision(workload, live),
  });
  return choice.kind === "Chosen" ? { ...choice, destination: destinationOf(choice.revision) } : choice;
}

/** The template is as it was asked for; whether its pods are is told with it. */
export function nothingToDo(workload: Workload, live: Revision, message: string): Unresolved {
  const state = rolloutStateOf(workload);
  const incomplete = state.complete ? undefined : state.message;
  return { kind: "NothingToDo", message, incomplete, live: toRef(live) };
}

function notReadyToPlan(workload: Workload, object: string): Unresolved | undefined {
  const { metadata } = workload.object;
  if (metadata.deletionTimestamp !== undefined) {
    return refused("TargetNotFound", `${object} is being deleted`);
  }
  if (workload.kind === "Deployment" && workload.object.spec.paused === true) {
    return refused(
      "Paused",
      `${object} is paused, so a restored template would not be rolled out: run "kubectl rollout resume deployment/${metadata.name}" first`,
    );
  }
  const problem = workload.kind === "Rollout" ? rolloutProblem(workload.object) : undefined;
  if (problem !== undefined) return refused(problem.reason, `${object}: ${problem.message}`);
  if (!isObserved(workload.object)) {
    return pending(`the ${workload.kind} controller has not seen the newest change of ${object} yet`);
  }
  return undefined;
}

function changedSinceAccepted(
  live: Revision,
  context: PlanContext,
  { kind }: WorkloadKey,
  object: string,
): Unresolved | undefined {
  const { from, expectedPodTemplateHash: expected } = context;
  // The label that a StatefulSet's pods carry is the name of the revision; people paste either.
  if (expected !== undefined && expected !== live.podTemplateHash && expected !== podLabelOf(kind, live)) {
    return superseded(
      `${object} runs revision ${live.revision} (${live.podTemplateHash}), not the expected ${expected}: nothing was changed`,
    );
  }
  if (from !== undefined && (from.uid !== live.uid || from.revision !== live.revision)) {
    return superseded(
      `${object} went from revision ${from.revision} to revision ${live.revision} since this request was accepted: nothing was changed`,
    );
  }
  return undefined;
}

function refused(reason: string, message: string): Unresolved {
  return { kind: "Refused", reason, message };
}

function pending(message: string): Unresolved {
  return { kind: "Pending", message, pollAfterMs: CONTROLLER_LAG_POLL_MS };
}
