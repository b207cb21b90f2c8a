import { revisionOf, type PlannedStep, type RevisionRef } from "../../crds/rollback-request.ts";
import { cutText } from "../../kube/conditions.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../../kube/errors.ts";
import { deploymentType, type Deployment } from "../../kube/well-known.ts";
import type { PlanContext, PlanResult } from "../action.ts";
import { digestOf } from "../digest.ts";
import { checkDependencies } from "./dependencies.ts";
import { toRef, type Revision } from "../../workloads/revisions.ts";
import { ownershipOf } from "./ownership.ts";
import { patchFor, patchStillApplies } from "./patch.ts";
import { resolveEnds, type Ends, type Unresolved, type WorkloadSpec } from "./resolve.ts";
import { changedPaths } from "../../workloads/template.ts";

/** A plan of this action always knows both ends. */
export type WorkloadPlan = Omit<PlannedStep, "objectUid" | "from" | "to"> & {
  readonly objectUid: string;
  readonly from: RevisionRef;
  readonly to: RevisionRef;
};

/** A stored plan with both its revisions, if it has them. */
export function narrowWorkload(planned: PlannedStep): WorkloadPlan | undefined {
  const from = revisionOf(planned.from);
  const to = revisionOf(planned.to);
  const { objectUid } = planned;
  if (from === undefined || to === undefined || objectUid === undefined) return undefined;
  return { ...planned, objectUid, from, to };
}

/** Whoever changes it is done with it soon. */
const CHANGED_POLL_MS = 250;

/** What the schema allows for one warning; the API server refuses a whole status for one text too long. */
const LONGEST_WARNING = 1_024;

/** Resolves, preflights and dry-runs; changes nothing. */
export async function planWorkload(
  stepName: string,
  spec: WorkloadSpec,
  context: PlanContext,
): Promise<PlanResult<WorkloadPlan>> {
  const object = `Deployment/${spec.name}`;
  const resolved = await resolveEnds(spec, context, object);
  if (resolved.kind !== "Resolved") return resolved;
  const { deployment, live, to } = resolved;
  const preflight = await preflightOf(deployment, to, context, object);
  if (preflight.kind !== "Passed") return preflight;
  return {
    kind: "Planned",
    plan: toPlan(stepName, object, resolved, context, [
      ...resolved.warnings,
      ...preflight.warnings,
      ...imageWarnings(live, to),
    ]),
  };
}

type Preflight = { readonly kind: "Passed"; readonly warnings: readonly string[] } | Unresolved;

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
  ends: Ends,
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

function refused(reason: string, message: string): Unresolved {
  return { kind: "Refused", reason, message };
}
