import type { PlannedStep, RevisionRef, WorkloadTo } from "../../crds/rollback-request.ts";
import { cutText } from "../../kube/conditions.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import { deploymentType, type Deployment } from "../../kube/well-known.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { digestOf } from "../digest.ts";
import { chooseRevision } from "./choose.ts";
import { checkDependencies } from "./dependencies.ts";
import { liveRevision, toRef, type Revision } from "../../workloads/revisions.ts";
import { ownershipOf } from "./ownership.ts";
import { patchFor, patchStillApplies } from "./patch.ts";
import { readWorkload } from "../../workloads/read-workload.ts";
import { changedPaths } from "../../workloads/template.ts";

export interface WorkloadSpec {
  readonly kind: "Deployment";
  readonly name: string;
  readonly to: WorkloadTo;
}

/** A plan of this action always knows both ends. */
export type WorkloadPlan = Omit<PlannedStep, "from" | "to"> & {
  readonly from: RevisionRef;
  readonly to: RevisionRef;
};

type Refusal = Exclude<PlanResult<WorkloadPlan>, { readonly kind: "Planned" }>;

/** Time between two looks while the Deployment controller catches up. */
const CONTROLLER_LAG_POLL_MS = 250;

/** What the schema allows for one warning; the API server refuses a whole status for one text too long. */
const LONGEST_WARNING = 1_024;

/** Resolves, preflights and dry-runs; changes nothing. */
export async function planWorkload(
  stepName: string,
  spec: WorkloadSpec,
  context: PlanContext,
): Promise<PlanResult<WorkloadPlan>> {
  const object = `Deployment/${spec.name}`;
  const workload = await readWorkload(context.executor, context.namespace, spec.name, context.signal);
  if (workload === undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${context.namespace}`);
  }
  const { deployment, revisions } = workload;
  const unready = notReadyToPlan(deployment, object);
  if (unready !== undefined) return unready;
  const live = liveRevision(deployment, revisions);
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
  const preflight = await preflightOf(deployment, choice.revision, context, object);
  if (preflight.kind !== "Passed") return preflight;
  return {
    kind: "Planned",
    plan: toPlan(stepName, object, { deployment, live, to: choice.revision }, context, [
      ...choice.warnings,
      ...preflight.warnings,
      ...imageWarnings(live, choice.revision),
    ]),
  };
}

function notReadyToPlan(deployment: Deployment, object: string): Refusal | undefined {
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

function changedSinceAccepted(live: Revision, context: PlanContext, object: string): Refusal | undefined {
  const { from, expectedPodTemplateHash } = context;
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

type Preflight = { readonly kind: "Passed"; readonly warnings: readonly string[] } | Refusal;

async function preflightOf(
  deployment: Deployment,
  to: Revision,
  context: PlanContext,
  object: string,
): Promise<Preflight> {
  const { executor, namespace, signal } = context;
  const [ownership, dependencies, rehearsal] = await Promise.all([
    ownershipOf(deployment, executor, signal),
    checkDependencies(to.template, executor, namespace, signal),
    dryRun(deployment, to, context),
  ]);
  if (ownership.kind === "Foreign") return refused("TargetOwned", `${object} is ${ownership.message}`);
  const [missing] = dependencies.missing;
  if (missing !== undefined) {
    const names = dependencies.missing.map(({ kind, name, usedBy }) => `${kind} ${name} (${usedBy})`);
    return refused(
      "DependencyMissing",
      `${object}: revision ${to.revision} needs ${names.join(", ")}, gone from namespace ${namespace}: restore it, or name another revision`,
    );
  }
  if (rehearsal.kind === "Changed") return pending(`${object} was changed while it was looked at`);
  if (rehearsal.kind === "Refused") {
    return refused("DryRunRefused", `${object}: the API server would refuse the change: ${rehearsal.words}`);
  }
  const unchecked = dependencies.unchecked.map(
    ({ kind, name }) => `unchecked: no right to read ${kind} ${name}, which revision ${to.revision} needs`,
  );
  return { kind: "Passed", warnings: [...ownership.warnings, ...unchecked] };
}

type Rehearsal =
  | { readonly kind: "Accepted" }
  | { readonly kind: "Refused"; readonly words: string }
  /** A `test` of the patch failed: the object moved under us, as it does while its controller numbers it. */
  | { readonly kind: "Changed" };

/** Admission webhooks and policies speak up in a dry run. */
async function dryRun(deployment: Deployment, to: Revision, context: PlanContext): Promise<Rehearsal> {
  const { executor, signal } = context;
  try {
    await patchFor(deployment, to).send(executor, signal, true);
    return { kind: "Accepted" };
  } catch (error) {
    if (isForbidden(error)) return { kind: "Refused", words: errorMessage(error) };
    if (!isInvalid(error) && !isNotFound(error)) throw error;
    const { namespace = "", name } = deployment.metadata;
    const now = await executor.tryGet(deploymentType, { namespace, name }, { signal });
    return now !== undefined && patchStillApplies(deployment, now)
      ? { kind: "Refused", words: errorMessage(error) }
      : { kind: "Changed" };
  }
}

function toPlan(
  name: string,
  object: string,
  ends: { readonly deployment: Deployment; readonly live: Revision; readonly to: Revision },
  context: PlanContext,
  warnings: readonly string[],
): WorkloadPlan {
  const identity = {
    action: "workload",
    object,
    objectUid: ends.deployment.metadata.uid,
    from: toRef(ends.live),
    to: toRef(ends.to),
    changes: [...changedPaths(ends.live.template, ends.to.template)],
  };
  const digest = digestOf({
    ...identity,
    from: [ends.live.uid, ends.live.podTemplateHash],
    to: [ends.to.uid, ends.to.podTemplateHash],
    executor: context.executorName,
  });
  return {
    name,
    digest,
    ...identity,
    warnings: warnings.slice(0, 32).map((text) => cutText(text, LONGEST_WARNING)),
  };
}

function imageWarnings(live: Revision, to: Revision): readonly string[] {
  const before = toRef(live).images;
  return toRef(to)
    .images.filter((image) => before.includes(image) && image.includes(":latest"))
    .map(
      (image) =>
        `image ${image} is the same in both revisions and its tag can be moved: the same bits may run`,
    );
}

function refused(reason: string, message: string): Extract<Refusal, { kind: "Refused" }> {
  return { kind: "Refused", reason, message };
}

function superseded(message: string): Refusal {
  return { kind: "Superseded", message };
}

function pending(message: string): Refusal {
  return { kind: "Pending", message, pollAfterMs: CONTROLLER_LAG_POLL_MS };
}
