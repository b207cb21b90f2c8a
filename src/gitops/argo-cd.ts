import { OWNER_ANNOTATIONS } from "../crds/annotations.ts";
import { groupOf, type KubeObject } from "../kube/objects.ts";
import type { PlannedHold } from "../crds/gitops-hold.ts";
import { holdField } from "./hold-field.ts";
import type { Application, ApplicationResource, ApplicationSet } from "./kinds.ts";
import { setsField } from "./written-fields.ts";

const FIELD = holdField("Application").path;

/** What asks Argo CD to look at an Application; it takes the annotation away when it has looked. */
export const REFRESH = "argocd.argoproj.io/refresh";

/** Whether the Application itself counts the object among what it consists of. */
export function listsObject({ status }: Application, object: KubeObject): boolean {
  return (status?.resources ?? []).some(
    (resource) =>
      // Only marked as its own, by whoever may write marks: it is not in Git.
      resource.requiresPruning !== true &&
      (resource.group ?? "") === groupOf(object) &&
      resource.kind === object.kind &&
      resource.name === object.metadata.name &&
      (resource.namespace ?? object.metadata.namespace) === object.metadata.namespace,
  );
}

/** Whether it is synced without anybody asking. Without, a live change stays until somebody syncs. */
export function isAutomated({ spec }: Application): boolean {
  const automated = spec.syncPolicy?.automated;
  return automated !== undefined && automated !== null && automated.enabled !== false;
}

/** A sync that began before the hold still writes what Git has. */
export function isSyncing({ operation, status }: Application): boolean {
  const phase = status?.operationState?.phase;
  return operation !== undefined || phase === "Running" || phase === "Terminating";
}

/** How a parent treats the hold of an Application that it makes. */
export type ParentVerdict =
  | { readonly kind: "Leaves" }
  /** It leaves it by all that can be read; it is to be seen once. */
  | { readonly kind: "Confirm" }
  | { readonly kind: "AtNextSync" }
  | { readonly kind: "TakesAway"; readonly remedy: string };

/** An app of apps. */
export function parentVerdict(parent: Application, child: Application): ParentVerdict {
  const ignored = (parent.spec.ignoreDifferences ?? []).some(
    (rule) =>
      rule.kind === "Application" &&
      (rule.name ?? child.metadata.name) === child.metadata.name &&
      (rule.namespace ?? child.metadata.namespace) === child.metadata.namespace &&
      coversField(rule),
  );
  if (ignored && (parent.spec.syncPolicy?.syncOptions ?? []).includes("RespectIgnoreDifferences=true")) {
    return { kind: "Leaves" };
  }
  const heals = isAutomated(parent) && parent.spec.syncPolicy?.automated?.selfHeal === true;
  if (!setsField(child, FIELD, "argocd-controller")) return heals ? { kind: "Confirm" } : { kind: "Leaves" };
  if (!heals) return { kind: "AtNextSync" };
  return {
    kind: "TakesAway",
    remedy:
      "leave automated.enabled out of the child's manifest, or give the parent ignoreDifferences {group: argoproj.io, kind: Application, jsonPointers: [/spec/syncPolicy/automated/enabled]} and the sync option RespectIgnoreDifferences=true",
  };
}

/** An ApplicationSet writes its Applications' whole spec again whenever one changes. */
export function applicationSetVerdict(set: ApplicationSet, child: Application): ParentVerdict {
  const mode = set.spec.syncPolicy?.applicationsSync;
  const ignored = (set.spec.ignoreApplicationDifferences ?? []).some(
    (rule) => (rule.name ?? child.metadata.name) === child.metadata.name && coversField(rule),
  );
  const kept = set.spec.preservedFields?.annotations ?? [];
  const keepsRecord = Object.values(OWNER_ANNOTATIONS).every((name) => kept.includes(name));
  if ((ignored && keepsRecord) || mode === "create-only" || mode === "create-delete")
    return { kind: "Leaves" };
  return {
    kind: "TakesAway",
    remedy: `give it spec.ignoreApplicationDifferences: [{jsonPointers: [/spec/syncPolicy/automated/enabled]}] and spec.preservedFields.annotations: [${Object.values(OWNER_ANNOTATIONS).join(", ")}]`,
  };
}

/** Whether a rule names the field or something that it is part of. */
function coversField({
  jsonPointers = [],
  jqPathExpressions = [],
}: {
  readonly jsonPointers?: readonly string[];
  readonly jqPathExpressions?: readonly string[];
}): boolean {
  const prefixes = FIELD.map((_, index) => FIELD.slice(0, index + 1)).slice(1);
  return prefixes.some(
    (path) => jsonPointers.includes(`/${path.join("/")}`) || jqPathExpressions.includes(`.${path.join(".")}`),
  );
}

/** What Argo CD says of the objects of a hold, as of its newest comparison after `since` (ms). */
export type Agreement = "Agrees" | "Differs" | "Unknown";

/** How old our change must be in a comparison that counts: Argo CD's own cache follows the cluster by a watch. */
const SEEN_AFTER_MS = 5_000;

/** Whether Git wants what is live: then nothing would be undone without the hold. Pure. */
export function agreementOf(
  { status }: Application,
  { objects }: Pick<PlannedHold, "objects">,
  namespace: string,
  since: number,
): Agreement {
  const comparedAt = Date.parse(status?.reconciledAt ?? "");
  if (!(comparedAt > since + SEEN_AFTER_MS)) return "Unknown";
  const resources = status?.resources ?? [];
  // Of several groups, where a kind of the same name is in more than one, all count.
  const states = objects.map((object) => statesOf(resources, object, namespace));
  if (states.every((each) => each.length > 0 && each.every((state) => state === "Synced"))) return "Agrees";
  return states.flat().includes("OutOfSync") ? "Differs" : "Unknown";
}

function statesOf(
  resources: readonly ApplicationResource[],
  object: string,
  namespace: string,
): readonly (string | undefined)[] {
  const alike = resources.filter(
    (resource) =>
      `${resource.kind}/${resource.name}` === object && (resource.namespace ?? namespace) === namespace,
  );
  return alike.map(({ status }) => status);
}

/** Whether a parent has compared its children after `since` (ms), and found this one as it wants it. */
export function hasLeftAlone(parent: Application, child: KubeObject, since: number): boolean {
  if (!(Date.parse(parent.status?.reconciledAt ?? "") >= since)) return false;
  return (parent.status?.resources ?? []).some(
    ({ kind, name, namespace = child.metadata.namespace, status }) =>
      kind === child.kind &&
      name === child.metadata.name &&
      namespace === child.metadata.namespace &&
      status === "Synced",
  );
}
