import type { WorkloadTo } from "../../crds/rollback-request.ts";
import type { Deployment } from "../../kube/well-known.ts";
import { readRevisions, readWorkload, type Workload } from "../../workloads/read-workload.ts";
import { liveRevision, type Revision } from "../../workloads/revisions.ts";
import type { PlanContext } from "../action.ts";
import { chooseRevision } from "./choose.ts";
import { patchStillApplies } from "./patch.ts";

export interface WorkloadSpec {
  readonly kind: "Deployment";
  readonly name: string;
  readonly to: WorkloadTo;
}

/** Where a rollback starts and where it goes, read now. */
export interface Ends {
  readonly deployment: Deployment;
  readonly live: Revision;
  readonly to: Revision;
}

export type ResolvedEnds =
  (Ends & { readonly kind: "Resolved"; readonly warnings: readonly string[] }) | Unresolved;

/** Why there is nothing to plan; the same shapes as in PlanResult. */
export type Unresolved =
  | { readonly kind: "NothingToDo"; readonly message: string }
  | { readonly kind: "Refused"; readonly reason: string; readonly message: string }
  | { readonly kind: "Superseded"; readonly message: string }
  | { readonly kind: "Pending"; readonly message: string; readonly pollAfterMs: number };

/** Time between two looks while the Deployment controller catches up. */
const CONTROLLER_LAG_POLL_MS = 250;

/**
 * Resolves a step to two revisions. Asks the API server's watch cache first, since a consistent LIST waits up to
 * 100 ms for it, and confirms both ends by GETs. The cache is in order, so once it shows the live revision it lacks
 * none before it; whatever does not fit, and every refusal, is asked again consistently.
 */
export async function resolveEnds(
  spec: WorkloadSpec,
  context: PlanContext,
  object: string,
): Promise<ResolvedEnds> {
  const quick = await resolveFrom(spec, context, object, true);
  if (quick.kind === "Resolved") {
    const confirmed = await confirm(quick, spec, context);
    if (confirmed !== undefined) return { ...quick, ...confirmed };
  }
  return resolveFrom(spec, context, object, false);
}

async function confirm(ends: Ends, spec: WorkloadSpec, context: PlanContext): Promise<Ends | undefined> {
  const { executor, namespace, signal } = context;
  const names = [ends.live.name, ends.to.name];
  const now = await readRevisions(executor, namespace, spec.name, names, signal);
  if (now === undefined || !patchStillApplies(ends.deployment, now.deployment)) return undefined;
  const find = (wanted: Revision) =>
    now.revisions.find(({ uid, revision }) => uid === wanted.uid && revision === wanted.revision);
  const live = find(ends.live);
  const to = find(ends.to);
  return live === undefined || to === undefined ? undefined : { deployment: now.deployment, live, to };
}

async function resolveFrom(
  spec: WorkloadSpec,
  context: PlanContext,
  object: string,
  mayBeBehind: boolean,
): Promise<ResolvedEnds> {
  const { executor, namespace, signal } = context;
  const workload = await readWorkload(executor, namespace, spec.name, signal, mayBeBehind);
  if (workload === undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${namespace}`);
  }
  const { deployment, revisions } = workload;
  const unready = notReadyToPlan(deployment, object);
  if (unready !== undefined) return unready;
  const live = startOf(workload, context);
  if (live === undefined) return pending(`the ReplicaSet of ${object}'s live template does not exist yet`);
  const changed = changedSinceAccepted(live, context, object);
  if (changed !== undefined) return changed;
  const choice = chooseRevision({
    to: spec.to,
    revisions,
    live,
    ledger: context.ledger,
    revisionHistoryLimit: deployment.spec.revisionHistoryLimit ?? 10,
    automatic: context.automatic,
  });
  if (choice.kind === "NothingToDo") return { kind: "NothingToDo", message: `${object}: ${choice.message}` };
  if (choice.kind === "Refused") return refused(choice.reason, `${object}: ${choice.message}`);
  return { kind: "Resolved", deployment, live, to: choice.revision, warnings: choice.warnings };
}

/** Where the step starts: at what an earlier step of the same request will have made, or else at what is live. */
function startOf({ deployment, revisions }: Workload, { earlier }: PlanContext): Revision | undefined {
  const planned = earlier?.done === false ? earlier.end.uid : undefined;
  return planned === undefined
    ? liveRevision(deployment, revisions)
    : revisions.find(({ uid }) => uid === planned);
}

function notReadyToPlan(deployment: Deployment, object: string): Unresolved | undefined {
  if (deployment.metadata.deletionTimestamp !== undefined) {
    return refused("TargetNotFound", `${object} is being deleted`);
  }
  if (deployment.spec.paused === true) {
    return refused(
      "Paused",
      `${object} is paused, so a restored template would not be rolled out: run "kubectl rollout resume deployment/${deployment.metadata.name}" first`,
    );
  }
  const observed = deployment.status?.observedGeneration ?? 0;
  if (observed < (deployment.metadata.generation ?? 0)) {
    return pending(`the Deployment controller has not seen the newest change of ${object} yet`);
  }
  return undefined;
}

function changedSinceAccepted(live: Revision, context: PlanContext, object: string): Unresolved | undefined {
  const { earlier, expectedPodTemplateHash } = context;
  if (earlier?.done === false && earlier.end.uid !== undefined) return undefined;
  // What an earlier step of the same request made is no foreign change.
  const from = earlier?.end.uid === undefined ? context.from : earlier.end;
  if (expectedPodTemplateHash !== undefined && live.podTemplateHash !== expectedPodTemplateHash) {
    return superseded(
      `${object} runs revision ${live.revision} (${live.podTemplateHash}), not the expected ${expectedPodTemplateHash}: nothing was changed`,
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

function superseded(message: string): Unresolved {
  return { kind: "Superseded", message };
}

function pending(message: string): Unresolved {
  return { kind: "Pending", message, pollAfterMs: CONTROLLER_LAG_POLL_MS };
}
