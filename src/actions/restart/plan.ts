import type { PlannedStep, StepEnd } from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import type { BuiltInWorkloadKind } from "../../crds/common.ts";
import { checkDependencies } from "../../workloads/dependencies.ts";
import { ownershipOf } from "../../workloads/ownership.ts";
import { readLiveWorkload, readWorkload, type Workload } from "../../workloads/read-workload.ts";
import { imagesOf, liveRevision, toRef, type Revision } from "../../workloads/revisions.ts";
import { RESTARTED_AT, sameTemplate } from "../../workloads/template.ts";
import { isObserved } from "../../workloads/rollout-state.ts";
import { sendRestart } from "../../workloads/send-restart.ts";
import { hasReplicaSets, isOnDelete, workloadTitle, type LiveWorkload } from "../../workloads/workload.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { digestOf } from "../digest.ts";
import { boundedWarnings } from "../warnings.ts";
import { restartedAt, templateDigest } from "./template-identity.ts";

export interface RestartSpec {
  readonly kind: BuiltInWorkloadKind;
  readonly name: string;
}

/** A plan of this action always knows the template, and at least one of both times. */
export type RestartPlan = Omit<PlannedStep, "objectUid" | "from" | "to"> & {
  readonly objectUid: string;
  readonly from: RestartEnd;
  readonly to: RestartEnd;
};

/** Without a time where nobody had restarted it by that annotation. */
export type RestartEnd = StepEnd & { readonly templateDigest: string };

type Unplannable = Exclude<PlanResult<RestartPlan>, { kind: "Planned" }>;

/** The Deployment controller catches up, or whoever changed the object is done, soon. */
const UNSETTLED_POLL_MS = 250;

/** A stored plan with all that makes it one of this action, if it has that. */
export function narrowRestart(planned: PlannedStep): RestartPlan | undefined {
  const { objectUid } = planned;
  const [from, to] = [endOf(planned.from), endOf(planned.to)];
  if (objectUid === undefined || from === undefined || to === undefined) return undefined;
  // Without any difference there would be nothing to tell done from not done.
  return from.restartedAt === to.restartedAt ? undefined : { ...planned, objectUid, from, to };
}

function endOf(end: StepEnd | undefined): RestartEnd | undefined {
  const digest = end?.templateDigest;
  return digest === undefined ? undefined : { ...end, templateDigest: digest };
}

/** Looks, checks that the same pods can start again, and tries without storing; changes nothing. */
export async function planRestart(
  stepName: string,
  spec: RestartSpec,
  context: PlanContext,
): Promise<PlanResult<RestartPlan>> {
  const { executor, namespace, signal } = context;
  const object = workloadTitle(spec);
  const workload = await readWorkload(executor, { namespace, ...spec }, signal);
  if (workload === undefined) {
    return refused("TargetNotFound", `${object} does not exist in namespace ${namespace}`);
  }
  const unready = notReadyToPlan(workload, object);
  if (unready !== undefined) return unready;
  const start = startOf(workload, context);
  if (start === undefined) return pending(`the revision of ${object}'s live template is not recorded yet`);
  const changed = changedSinceAccepted(start, context, object);
  if (changed !== undefined) return changed;
  const preflight = await preflightOf(workload, start, context, object);
  if (preflight.kind !== "Passed") return preflight;
  return { kind: "Planned", plan: toPlan(stepName, object, workload, start, context, preflight.warnings) };
}

function notReadyToPlan(workload: LiveWorkload, object: string): Unplannable | undefined {
  const { kind } = workload;
  const { metadata } = workload.object;
  if (metadata.deletionTimestamp !== undefined)
    return refused("TargetNotFound", `${object} is being deleted`);
  if (kind === "Deployment" && workload.object.spec.paused === true) {
    return refused(
      "Paused",
      `${object} is paused, so no pod would be replaced: run "kubectl rollout resume deployment/${metadata.name}" first`,
    );
  }
  if (!hasReplicaSets(workload) && isOnDelete(workload.object.spec)) {
    return refused(
      "UpdateStrategy",
      `${object} replaces pods only when they are deleted (updateStrategy OnDelete): delete its pods instead`,
    );
  }
  return isObserved(workload.object)
    ? undefined
    : pending(`the ${kind} controller has not seen the newest change of ${object} yet`);
}

/** What is restarted: what an earlier step of the same request will have made, or else what is live. */
function startOf({ object, revisions }: Workload, { earlier }: PlanContext): Revision | undefined {
  const planned = earlier?.done === false ? earlier.end.uid : undefined;
  const made = revisions.find(({ uid }) => uid === planned);
  return made ?? liveRevision(object, revisions);
}

function changedSinceAccepted(
  start: Revision,
  { earlier, from }: PlanContext,
  object: string,
): Unplannable | undefined {
  if (earlier?.done === false && madeTemplate(earlier.end)) return undefined;
  // What an earlier step of the same request made is no foreign change.
  const expected = earlier !== undefined && madeTemplate(earlier.end) ? earlier.end : from;
  if (expected?.uid === undefined) return undefined;
  if (expected.uid === start.uid && expected.revision === start.revision) return undefined;
  return {
    kind: "Superseded",
    message: `${object} went from revision ${expected.revision} to revision ${start.revision} since this request was accepted: nothing was changed`,
  };
}

/** Whether earlier steps leave another template than they found. */
function madeTemplate(end: StepEnd): boolean {
  return end.uid !== undefined || end.templateDigest !== undefined;
}

type Preflight = { readonly kind: "Passed"; readonly warnings: readonly string[] } | Unplannable;

async function preflightOf(
  workload: LiveWorkload,
  { template }: Revision,
  context: PlanContext,
  object: string,
): Promise<Preflight> {
  const { executor, namespace, signal } = context;
  const [ownership, dependencies, rehearsal] = await Promise.all([
    ownershipOf(workload, context),
    checkDependencies(template, executor, namespace, signal),
    rehearse(workload, context, object),
  ]);
  if (ownership.kind === "Foreign") return refused("TargetOwned", `${object} is ${ownership.message}`);
  if (dependencies.missing.length > 0) {
    const names = dependencies.missing.map(({ kind, name, usedBy }) => `${kind} ${name} (${usedBy})`);
    return refused(
      "DependencyMissing",
      `${object}: its pods need ${names.join(", ")}, gone from namespace ${namespace}: those that run would be replaced by some that cannot start; restore it first`,
    );
  }
  if (rehearsal !== undefined) return rehearsal;
  const unchecked = dependencies.unchecked.map(
    ({ kind, name }) => `unchecked: no right to read ${kind} ${name}, which the pods need`,
  );
  const movable = imagesOf(template)
    .filter((image) => image.includes(":latest"))
    .map((image) => `the tag of image ${image} can be moved: other bits may run after the restart`);
  return { kind: "Passed", warnings: [...ownership.warnings, ...unchecked, ...movable] };
}

/** Admission webhooks and policies speak up in a dry run. Undefined when nobody objects. */
async function rehearse(
  workload: LiveWorkload,
  { executor, signal, now }: PlanContext,
  title: string,
): Promise<Unplannable | undefined> {
  try {
    await sendRestart(workload, new Date(now).toISOString(), executor, signal, true);
    return undefined;
  } catch (error) {
    const words = `${title}: the API server would refuse the change: ${errorMessage(error)}`;
    if (isForbidden(error)) return refused("DryRunRefused", words);
    if (!isInvalid(error) && !isNotFound(error)) throw error;
    const { kind, object } = workload;
    const { namespace = "", name, uid } = object.metadata;
    const live = await readLiveWorkload(executor, { kind, namespace, name }, signal);
    const isSame =
      live?.object.metadata.uid === uid && sameTemplate(live.object.spec.template, object.spec.template);
    return isSame ? refused("DryRunRefused", words) : pending(`${title} was changed while it was looked at`);
  }
}

function toPlan(
  name: string,
  object: string,
  workload: LiveWorkload,
  start: Revision,
  { earlier, executorName: executor, now }: PlanContext,
  warnings: readonly string[],
): RestartPlan {
  const identity = { action: "restart", object, objectUid: workload.object.metadata.uid };
  const digest = templateDigest(start.template);
  const before = earlier?.end.restartedAt ?? restartedAt(start.template);
  // What earlier steps leave is known by what they became: its own number and time are no part of this step.
  const what = earlier !== undefined && madeTemplate(earlier.end) ? "of earlier steps" : digest;
  return {
    name,
    digest: digestOf({ ...identity, what, executor }),
    ...identity,
    from: {
      ...toRef(start),
      templateDigest: digest,
      ...(before === undefined ? {} : { restartedAt: before }),
    },
    to: { templateDigest: digest, restartedAt: new Date(now).toISOString() },
    changes: [`template.metadata.annotations.${RESTARTED_AT}`],
    warnings: boundedWarnings(warnings),
  };
}

function refused(reason: string, message: string): Unplannable {
  return { kind: "Refused", reason, message };
}

function pending(message: string): Unplannable {
  return { kind: "Pending", message, pollAfterMs: UNSETTLED_POLL_MS };
}
