import { consumersOf, missingKeys, type Consumer } from "../config-maps/consumers.ts";
import type { Content } from "../config-maps/content.ts";
import { reloaderOf } from "../config-maps/reloaders.ts";
import type { UseKind } from "../config-maps/uses.ts";
import { BuiltInWorkloadKind } from "../crds/common.ts";
import { errorMessage, isForbidden, isInvalid, isNotFound } from "../kube/errors.ts";
import { missingRights } from "../kube/missing-rights.ts";
import type { ConfigMap } from "../kube/well-known.ts";
import { ownershipOf } from "../workloads/ownership.ts";
import { sendRestart } from "../workloads/send-restart.ts";
import { hasReplicaSets, isOnDelete, REVISION_TYPES, WORKLOAD_TYPES } from "../workloads/workload.ts";
import type { PlanContext, PlanResult, Right } from "./action.ts";

/** What the schema allows for the restarts of one step. */
const MOST_RESTARTS = 64;

/** A change of a ConfigMap that is planned. */
export interface MapChange {
  /** As it is live. */
  readonly map: ConfigMap;
  /** Only its users are asked about; all keys when absent. */
  readonly key?: string | undefined;
  /** What it will hold. */
  readonly to: Content;
  /** Whether pods that use it so are to be restarted. */
  readonly wantsRestart: (use: UseKind) => boolean;
}

type Refusal = Extract<PlanResult<never>, { kind: "Refused" }>;

export type ConsumerRestarts =
  | { readonly kind: "Passed"; readonly restarts: readonly string[]; readonly warnings: readonly string[] }
  | Refusal;

/** Rights to find the workloads whose pods use a ConfigMap. */
export const CONSUMER_RIGHTS: readonly Right[] = BuiltInWorkloadKind.options.map((kind) => ({
  apiGroup: "apps",
  resource: WORKLOAD_TYPES[kind].plural,
  verb: "list",
}));

/** Which workloads are to be restarted after the change, and whether they can be. Changes nothing. Throws KubeError. */
export async function planConsumerRestarts(
  change: MapChange,
  context: PlanContext,
): Promise<ConsumerRestarts> {
  const { name } = change.map.metadata;
  const consumers = await consumersOf(context, name, change.key);
  const restarts: string[] = [];
  const warnings: string[] = [];
  for (const consumer of consumers) {
    const { title, workload } = consumer;
    const missing = missingKeys(workload.object.spec.template, name, change.to);
    if (missing.length > 0) {
      return refused(
        "DependencyMissing",
        `${title} needs the keys ${missing.join(", ")} of ConfigMap/${name}, which it would lose: its pods could not start any more; name another content, or roll ${title} back first`,
      );
    }
    const verdict = await judge(consumer, change, context);
    if (verdict.kind === "Refused") return verdict;
    warnings.push(...verdict.warnings);
    if (verdict.kind === "Restart") restarts.push(title);
  }
  if (restarts.length > MOST_RESTARTS) {
    return refused(
      "TooManyConsumers",
      `${restarts.length} workloads use ConfigMap/${name}, and a step restarts ${MOST_RESTARTS} at most: set \`restart: Never\` and restart them in steps of their own`,
    );
  }
  return { kind: "Passed", restarts, warnings };
}

type Verdict = { readonly kind: "Restart" | "Leave"; readonly warnings: readonly string[] } | Refusal;

async function judge(consumer: Consumer, change: MapChange, context: PlanContext): Promise<Verdict> {
  const { title, workload, uses } = consumer;
  const { map, key, wantsRestart } = change;
  const { before = [], after = [] } = context.podsReplacedBy ?? {};
  if (!uses.some(wantsRestart)) {
    const fate =
      uses.includes("File") && uses.length === 1
        ? "the kubelet renews its files a minute or more after the change"
        : "its pods keep what they read when they started";
    // That a flag comes first is advice of the plan as a whole.
    const order =
      key === undefined && before.includes(title)
        ? "; an earlier step replaces them: put that step after this one, so that they start with this content"
        : "";
    return leave(`${title} is not restarted: ${fate}${order}`);
  }
  if (before.includes(title)) {
    return refused(
      "InvalidSteps",
      `an earlier step replaces the pods of ${title}, which read ConfigMap/${map.metadata.name} when they start: put that step after this one`,
    );
  }
  if (after.includes(title)) {
    return leave(`${title} is not restarted by this step: a later one replaces its pods`);
  }
  const reloader = reloaderOf(workload.object, map.metadata);
  // Reloader does not look at a ConfigMap that is created unless it is told to (--reload-on-create).
  if (reloader !== undefined && map.immutable !== true) {
    return leave(`${title} is left to ${reloader}, which restarts it, as its annotations say`);
  }
  const why = whyNotNow(consumer);
  if (why !== undefined) return leave(`${title} is not restarted: ${why}`);
  const ownership = await ownershipOf(workload, context);
  if (ownership.kind === "Foreign") return leave(`${title} is not restarted: it is ${ownership.message}`);
  const refusal = (await lackOf(consumer, context)) ?? (await rehearse(consumer, context));
  return refusal ?? { kind: "Restart", warnings: ownership.warnings };
}

/** A rollout that would not begin. */
function whyNotNow({ workload }: Consumer): string | undefined {
  if (hasReplicaSets(workload)) {
    const { metadata, spec } = workload.object;
    return spec.paused === true
      ? `it is paused; run "kubectl rollout resume deployment/${metadata.name}" and restart it`
      : undefined;
  }
  return isOnDelete(workload.object.spec)
    ? "it replaces pods only when they are deleted (updateStrategy OnDelete)"
    : undefined;
}

/** Whom a step restarts is known only now, so its rights are asked for now. */
async function lackOf({ workload }: Consumer, context: PlanContext): Promise<Refusal | undefined> {
  const { executor, executorName, namespace, signal } = context;
  const { kind, object } = workload;
  const resource = WORKLOAD_TYPES[kind].plural;
  const rights: readonly Right[] = [
    { apiGroup: "apps", resource, verb: "get", name: object.metadata.name },
    { apiGroup: "apps", resource, verb: "patch", name: object.metadata.name },
    { apiGroup: "apps", resource: REVISION_TYPES[kind].plural, verb: "list" },
    { apiGroup: "", resource: "pods", verb: "list" },
  ];
  const lack = await missingRights(executor, namespace, rights, signal);
  return lack === undefined
    ? undefined
    : refused("AccessDenied", `ServiceAccount ${namespace}/${executorName} ${lack}`);
}

/** Admission webhooks and policies speak up in a dry run. */
async function rehearse({ title, workload }: Consumer, context: PlanContext): Promise<Refusal | undefined> {
  const { executor, signal, now } = context;
  try {
    await sendRestart(workload, new Date(now).toISOString(), executor, signal, true);
    return undefined;
  } catch (error) {
    // Changed or deleted just now: the restart itself looks again.
    if (isInvalid(error) || isNotFound(error)) return undefined;
    if (!isForbidden(error)) throw error;
    return refused(
      "DryRunRefused",
      `${title}: the API server would refuse its restart: ${errorMessage(error)}`,
    );
  }
}

function leave(warning: string): Verdict {
  return { kind: "Leave", warnings: [warning] };
}

function refused(reason: string, message: string): Refusal {
  return { kind: "Refused", reason, message };
}
