import {
  revisionOf,
  type PlannedStep,
  type PlannedTo,
  type RevisionRef,
  type StepEnd,
} from "../../crds/rollback-request.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import type { PodTemplateSpec } from "../../kube/well-known.ts";
import { toRef } from "../../workloads/revisions.ts";
import { changedPaths, sameTemplate } from "../../workloads/template.ts";
import { WORKLOAD_TYPES, workloadTitle } from "../../workloads/workload.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { digestOf } from "../digest.ts";
import { boundedWarnings } from "../warnings.ts";
import { checkDependencies } from "../../workloads/dependencies.ts";
import { ownershipOf, type Ownership } from "../../workloads/ownership.ts";
import type { Reference } from "../../workloads/references.ts";
import { plannedTo } from "./destination.ts";
import { judgeCanary, type CanaryVerdict } from "./flagger/judge.ts";
import { patchFor, patchStillApplies } from "./patch.ts";
import {
  isConfirmed,
  nothingToDo,
  resolveEnds,
  type Ends,
  type ResolvedEnds,
  type Unresolved,
  type WorkloadSpec,
} from "./resolve.ts";
import { rolloutWarnings } from "./rollout/warnings.ts";
import { templateDigest } from "./template-digest.ts";
import { imageWarnings, strategyWarnings } from "./warnings.ts";

/** A plan of this action always knows both ends. */
export type WorkloadPlan = Omit<PlannedStep, "objectUid" | "from" | "to"> & {
  readonly objectUid: string;
  readonly from: RevisionRef;
  readonly to: PlannedTo;
};

/** A stored plan with both its ends, if it has them. */
export function narrowWorkload(planned: PlannedStep): WorkloadPlan | undefined {
  const from = revisionOf(planned.from);
  const to = destinationEnd(planned.to);
  const { objectUid } = planned;
  if (from === undefined || to === undefined || objectUid === undefined) return undefined;
  return { ...planned, objectUid, from, to };
}

/** A revision, or what is known again by the digest of its template. */
function destinationEnd(to: StepEnd | undefined): PlannedTo | undefined {
  if (to?.images === undefined) return undefined;
  if (to.templateDigest === undefined && revisionOf(to) === undefined) return undefined;
  return { ...to, images: to.images };
}

/** Whoever changes it is done with it soon. */
const CHANGED_POLL_MS = 250;

/** Resolves, preflights and dry-runs; changes nothing. */
export async function planWorkload(
  stepName: string,
  spec: WorkloadSpec,
  context: PlanContext,
): Promise<PlanResult<WorkloadPlan>> {
  const object = workloadTitle(spec);
  const seen = (await lookQuickly(spec, context, object)) ?? (await lookConsistently(spec, context, object));
  if (seen.kind !== "Seen") return seen;
  const { ends: resolved, preflight } = seen;
  if (preflight.kind !== "Passed") return preflight;
  const { workload, to } = resolved;
  const { template } = workload.object.spec;
  // A stored template that lacks what the server fills in today differs in form only.
  if (sameTemplate(preflight.template, template)) {
    const revision = to.revision?.revision;
    const message = `the live template already matches${revision === undefined ? "" : ` revision ${revision}`}`;
    return nothingToDo(workload, resolved.live, `${object}: ${message}`);
  }
  return {
    kind: "Planned",
    plan: toPlan(stepName, object, resolved, preflight, context, [
      ...resolved.warnings,
      ...preflight.warnings,
      ...imageWarnings(template, to.template),
      ...strategyWarnings(workload),
      ...rolloutWarnings(workload, to.revision),
    ]),
  };
}

/** Both ends, and what the server would say of the change. */
interface Seen {
  readonly kind: "Seen";
  readonly ends: Extract<ResolvedEnds, { kind: "Resolved" }>;
  readonly preflight: Preflight;
}

/**
 * By a history that may be behind, confirmed beside the preflight. Undefined when something does not fit or cannot be
 * resolved: that is asked again consistently.
 */
async function lookQuickly(
  spec: WorkloadSpec,
  context: PlanContext,
  object: string,
): Promise<Seen | undefined> {
  const ends = await resolveEnds(spec, context, true);
  if (ends.kind !== "Resolved") return undefined;
  const [preflight, confirmed] = await Promise.all([
    preflightOf(ends, context, object),
    isConfirmed(ends, context),
  ]);
  return confirmed && preflight.kind !== "Pending" ? { kind: "Seen", ends, preflight } : undefined;
}

async function lookConsistently(
  spec: WorkloadSpec,
  context: PlanContext,
  object: string,
): Promise<Seen | Unresolved> {
  const ends = await resolveEnds(spec, context, false);
  return ends.kind === "Resolved"
    ? { kind: "Seen", ends, preflight: await preflightOf(ends, context, object) }
    : ends;
}

type Preflight =
  | {
      readonly kind: "Passed";
      /** What the server would store. */
      readonly template: PodTemplateSpec;
      readonly warnings: readonly string[];
      readonly promotedBy?: string;
    }
  | Unresolved;

async function preflightOf(ends: Ends, context: PlanContext, object: string): Promise<Preflight> {
  const { executor, namespace, signal } = context;
  const { workload, to } = ends;
  const title = to.revision === undefined ? "the pinned template" : `revision ${to.revision.revision}`;
  const [ownership, dependencies, rehearsal] = await Promise.all([
    ownershipOf(workload, context),
    checkDependencies(to.template, executor, namespace, signal),
    dryRun(ends, context),
  ]);
  const owned = ownedVerdict(ownership, context, object);
  if (owned.kind !== "Passed") return owned;
  const [missing] = dependencies.missing;
  if (missing !== undefined) {
    const names = dependencies.missing.map(({ kind, name, usedBy }) => `${kind} ${name} (${usedBy})`);
    return refused(
      "DependencyMissing",
      `${object}: ${title} needs ${names.join(", ")}, gone from ${whereOf(dependencies.missing, namespace)}: restore it, or name another revision`,
    );
  }
  if (rehearsal.kind === "Changed") {
    return {
      kind: "Pending",
      message: `${object} was changed while it was looked at`,
      pollAfterMs: CHANGED_POLL_MS,
    };
  }
  if (rehearsal.kind === "Refused") {
    return refused("DryRunRefused", `${object}: the API server would refuse the change: ${rehearsal.words}`);
  }
  const unchecked = dependencies.unchecked.map(
    ({ kind, name }) => `unchecked: no right to read ${kind} ${name}, which ${title} needs`,
  );
  return {
    ...owned,
    template: rehearsal.template,
    warnings: [...owned.warnings, ...unchecked],
  };
}

/** Flagger carries a change on that people want; what it makes of the releases of a target no policy can tell. */
function ownedVerdict(
  ownership: Ownership,
  { automatic }: PlanContext,
  object: string,
): CanaryVerdict | { readonly kind: "Passed"; readonly warnings: readonly string[] } {
  if (ownership.kind === "Ours") return { kind: "Passed", warnings: ownership.warnings };
  const { canary, message, warnings = [] } = ownership;
  if (canary === undefined || automatic) return refused("TargetOwned", `${object} is ${message}`);
  const verdict = judgeCanary(object, canary);
  return verdict.kind === "Passed" ? { ...verdict, warnings: [...warnings, ...verdict.warnings] } : verdict;
}

function whereOf(missing: readonly Reference[], namespace: string): string {
  const isClusterWide = (kind: string) => kind === "PriorityClass" || kind === "RuntimeClass";
  return missing.every(({ kind }) => isClusterWide(kind)) ? "the cluster" : `namespace ${namespace}`;
}

type Rehearsal =
  | { readonly kind: "Accepted"; readonly template: PodTemplateSpec }
  | { readonly kind: "Refused"; readonly words: string }
  /** A `test` of the patch failed: the object moved under us, as it does while its controller numbers it. */
  | { readonly kind: "Changed" };

/** Admission webhooks and policies speak up in a dry run. */
async function dryRun({ workload, to }: Ends, context: PlanContext): Promise<Rehearsal> {
  const { executor, signal } = context;
  try {
    const { spec } = await patchFor(workload, to).send(executor, signal, true);
    return { kind: "Accepted", template: spec.template };
  } catch (error) {
    if (isForbidden(error)) return { kind: "Refused", words: errorMessage(error) };
    if (!isInvalid(error) && !isNotFound(error)) throw error;
    const { namespace = "", name } = workload.object.metadata;
    const now = await executor.tryGet(WORKLOAD_TYPES[workload.kind], { namespace, name }, { signal });
    return now !== undefined && patchStillApplies(workload.object, now)
      ? { kind: "Refused", words: errorMessage(error) }
      : { kind: "Changed" };
  }
}

function toPlan(
  name: string,
  object: string,
  { workload, live, to }: Ends,
  { template: rehearsed, promotedBy }: Extract<Preflight, { kind: "Passed" }>,
  context: PlanContext,
  warnings: readonly string[],
): WorkloadPlan {
  const isStored = to.pin === undefined && sameTemplate(rehearsed, to.template);
  const identity = {
    action: "workload",
    object,
    objectUid: workload.object.metadata.uid,
    from: toRef(live),
    to: plannedTo(to, isStored ? undefined : templateDigest(rehearsed)),
    ...(promotedBy === undefined ? {} : { promotedBy }),
    changes: [...changedPaths(live.template, rehearsed)],
  };
  const digest = digestOf({
    ...identity,
    from: [live.uid, live.podTemplateHash],
    to: to.pin ?? [to.revision?.uid, to.revision?.podTemplateHash],
    executor: context.executorName,
  });
  return {
    name,
    digest,
    ...identity,
    warnings: boundedWarnings(warnings),
  };
}

function refused(reason: string, message: string): Unresolved {
  return { kind: "Refused", reason, message };
}
