import { groupOf, type KubeObject } from "../kube/objects.ts";
import type { GitOpsOwnerKind } from "../crds/gitops-hold.ts";

/** A GitOps tool's object that would undo a live change, as the marks on the changed object name it. */
export interface GitOpsOwner {
  readonly tool: "Argo CD" | "Flux";
  readonly kind: GitOpsOwnerKind;
  /** Undefined: where Argo CD itself runs. */
  readonly namespace: string | undefined;
  readonly name: string;
  /** Such as `Application argocd/api`, for people. */
  readonly owner: string;
  /** What to do instead, for people. */
  readonly remedy: string;
  /** Its marks are such that others set too (Helm charts, people): only the owner's own list can prove it. */
  readonly weak?: true;
}

const TRACKING_ID = "argocd.argoproj.io/tracking-id";

const FLUX_KINDS = [
  ["Kustomization", "kustomize.toolkit.fluxcd.io"],
  ["HelmRelease", "helm.toolkit.fluxcd.io"],
] as const;

/** What Argo CD may have written on what it applied; the second one is a person's choice often enough. */
const INSTANCE_LABELS = ["argocd.argoproj.io/instance", "app.kubernetes.io/instance"];
const ARGO_MANAGERS = ["argocd-controller", "argocd-application-controller"];

interface ManagedMeta {
  readonly managedFields?: readonly { readonly manager?: string }[];
}

const HOLD_INSTEAD = 'or set "gitOps: Hold" in the guards of its RollbackPolicy';

const ARGO_CD_REMEDY = `a live change would be undone by self-heal or the next sync: revert in Git, take the object out of the Application, ${HOLD_INSTEAD}`;

/**
 * The GitOps owner that an object's own marks prove, if any. Argo CD: a tracking id counts only if it
 * names this very object (a copied object carries the id of its original; argo-cd
 * `util/argo/resource_tracking.go`). Flux: its two labels, unless reconciling is switched off on the object.
 */
export function gitOpsOwner(object: KubeObject): GitOpsOwner | undefined {
  return gitOpsOwners(object)[0];
}

/** All of them: an object may carry the marks of a HelmRelease and of the Kustomization that made that one. */
export function gitOpsOwners(object: KubeObject): readonly GitOpsOwner[] {
  const argoCd = argoCdOwner(object);
  return [...(argoCd === undefined ? [] : [argoCd]), ...fluxOwners(object)];
}

/** `Application argocd/api`; without a namespace where it is not known. */
export function ownerText({
  kind,
  namespace,
  name,
}: {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}): string {
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

/** Labels by which the tools know what they applied. */
const GITOPS_LABELS = [
  "argocd.argoproj.io/instance",
  "app.kubernetes.io/instance",
  "kustomize.toolkit.fluxcd.io/name",
  "helm.toolkit.fluxcd.io/name",
];

/**
 * Whether an object may be held by a Git repository, so that it would come back if it were deleted: any mark of a tool,
 * also one that would not prove an owner.
 */
export function hasGitOpsMarks({ metadata }: Pick<KubeObject, "metadata">): boolean {
  return (
    metadata.annotations?.[TRACKING_ID] !== undefined ||
    GITOPS_LABELS.some((label) => metadata.labels?.[label] !== undefined)
  );
}

function argoCdOwner(object: KubeObject): GitOpsOwner | undefined {
  const id = object.metadata.annotations?.[TRACKING_ID];
  if (id === undefined) return labelledOwner(object);
  const [application, gvk, name] = splitTrackingId(id);
  const itself = `${groupOf(object)}/${object.kind}:${object.metadata.namespace ?? ""}/${object.metadata.name}`;
  if (`${gvk}:${name}` !== itself) return undefined;
  const owner = { kind: "Application", ...splitApplication(application) } as const;
  return {
    tool: "Argo CD",
    ...owner,
    owner: ownerText(owner),
    remedy: ARGO_CD_REMEDY,
  };
}

/**
 * Argo CD that tracks by label, as it did by default before 3.0: its instance label, on an object that its own manager
 * wrote. Helm charts set the label too, and anybody can call himself a manager.
 */
function labelledOwner(object: KubeObject): GitOpsOwner | undefined {
  const name = INSTANCE_LABELS.map((label) => object.metadata.labels?.[label]).find(
    (each) => each !== undefined,
  );
  const { managedFields = [] } = object.metadata as ManagedMeta;
  const isApplied = managedFields.some(
    ({ manager }) => manager !== undefined && ARGO_MANAGERS.includes(manager),
  );
  if (name === undefined || !isApplied) return undefined;
  const owner = { kind: "Application", namespace: undefined, name } as const;
  return { tool: "Argo CD", ...owner, owner: ownerText(owner), remedy: ARGO_CD_REMEDY, weak: true };
}

/** `app:group/Kind:namespace/name`. */
function splitTrackingId(id: string): readonly [string, string, string] {
  const [application = "", gvk = "", name = ""] = id.split(":");
  return [application, gvk, name];
}

/** `namespace_name` of Applications outside Argo CD's own namespace; no name has an underscore. */
function splitApplication(text: string): Pick<GitOpsOwner, "namespace" | "name"> {
  const at = text.indexOf("_");
  return at < 0
    ? { namespace: undefined, name: text }
    : { namespace: text.slice(0, at), name: text.slice(at + 1) };
}

function fluxOwners(object: KubeObject): readonly GitOpsOwner[] {
  const labels = object.metadata.labels ?? {};
  const annotations = object.metadata.annotations ?? {};
  return FLUX_KINDS.flatMap(([kind, prefix]) => {
    const name = labels[`${prefix}/name`];
    const namespace = labels[`${prefix}/namespace`];
    if (name === undefined || namespace === undefined) return [];
    if (kind === "Kustomization" && annotations[`${prefix}/reconcile`] === "disabled") return [];
    const owner = { kind, namespace, name };
    return [
      {
        tool: "Flux",
        ...owner,
        owner: ownerText(owner),
        remedy: `a live change would be undone at its next reconciliation: revert in Git, take the object out of it, ${HOLD_INSTEAD}`,
      } as const,
    ];
  });
}
