import type { GitOpsRule } from "../gitops/rule.ts";
import type { KubeClient } from "../kube/client.ts";
import { listIfServed } from "../kube/list-if-served.ts";
import { canaryType, type Canary } from "../kube/flagger-types.ts";
import type { KubeObject } from "../kube/objects.ts";
import { rolloutType, type Rollout } from "../kube/rollout-types.ts";
import { ROLLOUT_HASH_LABEL } from "./rollout-template.ts";

export type Ownership =
  | { readonly kind: "Ours"; readonly warnings: readonly string[] }
  | {
      readonly kind: "Foreign";
      readonly message: string;
      /** What promotes each new template of the workload, where that is all that it does with it. */
      readonly canary?: Canary;
      readonly warnings?: readonly string[];
    };

/** Who asks, and what is done about objects that a GitOps tool owns. */
export interface OwnershipContext {
  readonly executor: KubeClient;
  readonly gitOps: GitOpsRule;
  readonly signal: AbortSignal;
}

/** Whether another tool owns the spec of a workload or Service, so that a live change would be undone or break it. */
export async function ownershipOf(
  { kind, object }: { readonly kind: string; readonly object: KubeObject },
  { executor, gitOps, signal }: OwnershipContext,
): Promise<Ownership> {
  const managed = gitOps.refusal(object);
  if (managed !== undefined) return foreign(managed);
  const byOwner = ownerReferenceRefusal(object) ?? serviceRefusal(kind, object);
  if (byOwner !== undefined) return foreign(byOwner);
  const { namespace = "", name } = object.metadata;
  const [rollouts, canaries] = await Promise.all([
    listIfServed(rolloutType, executor, namespace, signal),
    listIfServed(canaryType, executor, namespace, signal),
  ]);
  const rollout = rollouts.items.find(({ spec }) => names(spec.workloadRef, kind, name));
  if (rollout !== undefined) {
    return foreign(
      `managed by Argo Rollouts Rollout ${namespace}/${rollout.metadata.name} (workloadRef): undo it with "kubectl argo rollouts undo ${rollout.metadata.name}"`,
    );
  }
  const routing = kind === "Service" ? toolOfService(rollouts.items, canaries.items, name) : undefined;
  if (routing !== undefined) return foreign(routing);
  const canary = canaries.items.find(({ spec }) => names(spec.targetRef, kind, name));
  if (canary !== undefined) {
    return {
      ...foreign(
        `managed by Flagger Canary ${namespace}/${canary.metadata.name} (targetRef), which promotes each new template of it: a person may put that back by a step workload`,
      ),
      ...(kind === "Deployment" ? { canary } : {}),
      warnings: [...rollouts.warnings, ...controllerWarnings(object)],
    };
  }
  return {
    kind: "Ours",
    warnings: [...rollouts.warnings, ...canaries.warnings, ...controllerWarnings(object)],
  };
}

/** Tools that leave their mark on the Service itself. */
function serviceRefusal(kind: string, { metadata, ...object }: KubeObject): string | undefined {
  if (kind !== "Service") return undefined;
  const { selector = {} } = (object as { readonly spec?: { readonly selector?: object } }).spec ?? {};
  if (ROLLOUT_HASH_LABEL in selector) {
    return `switched by Argo Rollouts (selector key ${ROLLOUT_HASH_LABEL}), which would write over a live change: act on its Rollout`;
  }
  const marks = [
    ...(metadata.ownerReferences ?? []).map(({ apiVersion }) => apiVersion),
    ...Object.keys(metadata.labels ?? {}),
  ];
  return marks.some((mark) => /^(serving|networking\.internal)\.knative\.dev\//.test(mark))
    ? "made by Knative, which would write over a live change: set spec.traffic of the Knative Service instead"
    : undefined;
}

/** A Rollout or Canary that names the Service, or makes it. */
function toolOfService(
  rollouts: readonly Rollout[],
  canaries: readonly Canary[],
  service: string,
): string | undefined {
  const rollout = rollouts.find(({ spec: { strategy: { blueGreen = {}, canary = {} } = {} } }) =>
    [blueGreen.activeService, blueGreen.previewService, canary.stableService, canary.canaryService].includes(
      service,
    ),
  );
  if (rollout !== undefined) {
    return `switched by Argo Rollouts Rollout ${rollout.metadata.name}: undo it with "kubectl argo rollouts undo ${rollout.metadata.name}"`;
  }
  const canary = canaries.find(({ spec }) => {
    const name = spec.service?.name ?? spec.targetRef?.name;
    return name !== undefined && [name, `${name}-primary`, `${name}-canary`].includes(service);
  });
  return canary === undefined
    ? undefined
    : `switched by Flagger Canary ${canary.metadata.name}: put its target back instead, by a step workload`;
}

function foreign(message: string): Extract<Ownership, { kind: "Foreign" }> {
  return { kind: "Foreign", message };
}

/** Flagger owns the `-primary` copy that it made; Argo Rollouts owns what it created. */
function ownerReferenceRefusal(object: KubeObject): string | undefined {
  const owner = object.metadata.ownerReferences?.find(
    ({ apiVersion }) => apiVersion.startsWith("flagger.app/") || apiVersion.startsWith("argoproj.io/"),
  );
  if (owner === undefined) return undefined;
  const tool = owner.apiVersion.startsWith("flagger.app/") ? "Flagger" : "Argo Rollouts";
  return `owned by ${tool} ${owner.kind} ${owner.name}, which would write over a live change: act on that ${owner.kind}`;
}

function controllerWarnings(object: KubeObject): readonly string[] {
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return [];
  return [`controlled by ${owner.kind} ${owner.name}, which may write over the change`];
}

function names(
  ref: { readonly kind?: string; readonly name?: string } | undefined,
  kind: string,
  name: string,
): boolean {
  return ref?.kind === kind && ref.name === name;
}
