import type { KubeObject } from "../kube/objects.ts";

/** A GitOps tool that would undo a live change of the object. */
export interface GitOpsOwner {
  readonly tool: "Argo CD" | "Flux";
  /** Such as `Application argocd/api`. */
  readonly owner: string;
  /** What to do instead, for people. */
  readonly remedy: string;
}

const TRACKING_ID = "argocd.argoproj.io/tracking-id";

/**
 * The GitOps owner that an object's own marks prove, if any. Argo CD: a tracking id counts only if it
 * names this very object (a copied object carries the id of its original; argo-cd
 * `util/argo/resource_tracking.go`). Flux: its two labels, unless reconciling is switched off on the object.
 */
export function gitOpsOwner(object: KubeObject): GitOpsOwner | undefined {
  return argoCdOwner(object) ?? fluxOwner(object);
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
  if (id === undefined) return undefined;
  const [application, gvk, name] = splitTrackingId(id);
  const group = object.apiVersion.includes("/") ? object.apiVersion.split("/")[0] : "";
  const itself = `${group}/${object.kind}:${object.metadata.namespace ?? ""}/${object.metadata.name}`;
  if (`${gvk}:${name}` !== itself) return undefined;
  return {
    tool: "Argo CD",
    owner: `Application ${application}`,
    remedy:
      "a live change would be undone by self-heal or the next sync: revert in Git, or take the object out of the Application",
  };
}

/** `app:group/Kind:namespace/name`. */
function splitTrackingId(id: string): readonly [string, string, string] {
  const [application = "", gvk = "", name = ""] = id.split(":");
  return [application, gvk, name];
}

function fluxOwner(object: KubeObject): GitOpsOwner | undefined {
  const labels = object.metadata.labels ?? {};
  const annotations = object.metadata.annotations ?? {};
  for (const [kind, prefix] of [
    ["Kustomization", "kustomize.toolkit.fluxcd.io"],
    ["HelmRelease", "helm.toolkit.fluxcd.io"],
  ] as const) {
    const name = labels[`${prefix}/name`];
    const namespace = labels[`${prefix}/namespace`];
    if (name === undefined || namespace === undefined) continue;
    if (kind === "Kustomization" && annotations[`${prefix}/reconcile`] === "disabled") continue;
    return {
      tool: "Flux",
      owner: `${kind} ${namespace}/${name}`,
      remedy:
        "a live change would be undone at its next reconciliation: revert in Git, or take the object out of it",
    };
  }
  return undefined;
}
